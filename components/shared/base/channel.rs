//! The one wrapper over the channels on which components talk.
//!
//! It is crossbeam-channel today. The types are such that a channel between processes can be put
//! under them: messages are serializable, and so are the senders and callbacks inside them. In one
//! process, serializing a sender lends it to a table and deserializing takes it from there, so
//! that a message means the same before and after.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ids::IdSource;

/// The other side of the channel is gone, which happens when its component has shut down.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Disconnected;

impl fmt::Display for Disconnected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the component has shut down")
    }
}

impl std::error::Error for Disconnected {}

/// A channel without a bound. Whoever makes one argues in a comment what bounds it.
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = crossbeam_channel::unbounded();
    (Sender(sender), Receiver(receiver))
}

/// A channel that holds at most `capacity` messages; sending into a full one waits.
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = crossbeam_channel::bounded(capacity);
    (Sender(sender), Receiver(receiver))
}

/// The sending end of a channel.
pub struct Sender<T>(crossbeam_channel::Sender<T>);

impl<T> Sender<T> {
    /// Send one message. Messages of one sender arrive in the order in which they were sent.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when nobody can receive it any more.
    pub fn send(&self, message: T) -> Result<(), Disconnected> {
        self.0.send(message).map_err(|_| Disconnected)
    }

    /// How many messages wait to be received.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no message waits to be received.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sender")
    }
}

/// The receiving end of a channel.
pub struct Receiver<T>(crossbeam_channel::Receiver<T>);

/// What a wait for a message ended with.
#[derive(Debug, Eq, PartialEq)]
pub enum Received<T> {
    /// A message.
    Message(T),
    /// The time was over first.
    TimedOut,
    /// Every sender is gone, and no message is left.
    Disconnected,
}

impl<T> Receiver<T> {
    /// Wait for a message.
    ///
    /// # Errors
    ///
    /// [`Disconnected`] when every sender is gone and no message is left.
    pub fn recv(&self) -> Result<T, Disconnected> {
        self.0.recv().map_err(|_| Disconnected)
    }

    /// Wait for a message, but no longer than `timeout` if there is one.
    pub fn recv_timeout(&self, timeout: Option<Duration>) -> Received<T> {
        let Some(timeout) = timeout else {
            return self
                .0
                .recv()
                .map_or(Received::Disconnected, Received::Message);
        };
        match self.0.recv_timeout(timeout) {
            Ok(message) => Received::Message(message),
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => Received::TimedOut,
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => Received::Disconnected,
        }
    }

    /// A message that is already there.
    pub fn try_recv(&self) -> Option<T> {
        self.0.try_recv().ok()
    }

    /// The channel underneath, for `crossbeam_channel::select!`.
    pub fn as_crossbeam(&self) -> &crossbeam_channel::Receiver<T> {
        &self.0
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Receiver")
    }
}

/// Where an answer or a notification goes. It is called on the thread of the one who answers, so
/// it does nothing but put the value into its owner's own channel.
pub struct Callback<T>(Arc<dyn Fn(T) + Send + Sync>);

impl<T: 'static> Callback<T> {
    /// A callback that runs `function`, which must neither wait nor panic.
    pub fn new(function: impl Fn(T) + Send + Sync + 'static) -> Self {
        Self(Arc::new(function))
    }

    /// A callback that sends what it gets, as `wrap` makes it a message, to `sender`. When the
    /// receiver is gone nobody is interested any more, so that is not an error.
    pub fn to_sender<M: Send + 'static>(sender: &Sender<M>, wrap: fn(T) -> M) -> Self {
        let sender = sender.clone();
        Self::new(move |value| {
            let _ = sender.send(wrap(value));
        })
    }

    /// A callback that drops what it gets.
    pub fn ignore() -> Self {
        Self::new(drop)
    }

    /// Hand over a value.
    pub fn call(&self, value: T) {
        (self.0)(value);
    }

    /// The same callback, called exactly once: with the first value, and if there is none by the
    /// time the last clone is dropped, with what `otherwise` returns, which must not panic. So the
    /// answer to a message is not lost together with the message.
    #[must_use]
    pub fn exactly_once(self, otherwise: impl FnOnce() -> T + Send + 'static) -> Self {
        let pending = Pending(Mutex::new(Some((self, Box::new(otherwise)))));
        Self::new(move |value| {
            if let Some((callback, _)) = pending.take() {
                callback.call(value);
            }
        })
    }
}

/// What makes an answer when nobody gives one.
type Otherwise<T> = Box<dyn FnOnce() -> T + Send>;

/// Whom to call, and with what if nobody does it; `None` once it has been called.
struct Pending<T: 'static>(Mutex<Option<(Callback<T>, Otherwise<T>)>>);

impl<T> Pending<T> {
    fn take(&self) -> Option<(Callback<T>, Otherwise<T>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if let Some((callback, otherwise)) = self.take() {
            callback.call(otherwise());
        }
    }
}

impl<T> Clone for Callback<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Callback<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Callback")
    }
}

/// Senders and callbacks inside serialized messages that nobody has deserialized yet. Bounded by
/// the number of messages on their way.
static LENT: LazyLock<Mutex<HashMap<u64, Box<dyn Any + Send>>>> = LazyLock::new(Mutex::default);
static LENT_IDS: LazyLock<IdSource> = LazyLock::new(IdSource::default);

fn lend<S: Serializer>(value: impl Any + Send, serializer: S) -> Result<S::Ok, S::Error> {
    let id = LENT_IDS.next();
    LENT.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id, Box::new(value));
    id.serialize(serializer)
}

fn take_lent<'de, V: Any, D: Deserializer<'de>>(deserializer: D) -> Result<V, D::Error> {
    let id = u64::deserialize(deserializer)?;
    let lent = LENT
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&id);
    lent.and_then(|value| value.downcast::<V>().ok())
        .map(|value| *value)
        .ok_or_else(|| de::Error::custom("no channel of this type was lent under this id"))
}

impl<T: Send + 'static> Serialize for Sender<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        lend(self.clone(), serializer)
    }
}

impl<'de, T: Send + 'static> Deserialize<'de> for Sender<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        take_lent(deserializer)
    }
}

impl<T: 'static> Serialize for Callback<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        lend(self.clone(), serializer)
    }
}

impl<'de, T: 'static> Deserialize<'de> for Callback<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        take_lent(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_still_sends_to_its_receiver_after_serialization() {
        let (sender, receiver) = unbounded::<u8>();
        let bytes = postcard::to_stdvec(&sender).unwrap();
        drop(sender);
        let sender: Sender<u8> = postcard::from_bytes(&bytes).unwrap();
        sender.send(7).unwrap();
        drop(sender);
        assert_eq!(receiver.recv(), Ok(7));
        assert_eq!(receiver.recv(), Err(Disconnected));
        assert!(
            postcard::from_bytes::<Sender<u8>>(&bytes).is_err(),
            "a lent sender is taken once"
        );
    }

    #[test]
    fn a_callback_reaches_the_channel_of_its_owner() {
        let (sender, receiver) = bounded::<String>(1);
        let callback = Callback::to_sender(&sender, |number: u8| number.to_string());
        let bytes = postcard::to_stdvec(&callback).unwrap();
        postcard::from_bytes::<Callback<u8>>(&bytes)
            .unwrap()
            .call(3);
        assert_eq!(receiver.try_recv().as_deref(), Some("3"));
        drop(receiver);
        callback.call(4);
    }

    #[test]
    fn a_callback_that_is_to_be_called_exactly_once_is_called_when_it_is_dropped() {
        let (sender, receiver) = unbounded::<u8>();
        let once = || Callback::to_sender(&sender, |value| value).exactly_once(|| 0);
        let answered = once();
        answered.call(1);
        answered.call(2);
        drop(answered);
        assert_eq!(receiver.try_recv(), Some(1));
        let forgotten = once();
        let copy = forgotten.clone();
        drop(forgotten);
        assert_eq!(receiver.try_recv(), None, "it may still be answered");
        drop(copy);
        assert_eq!(receiver.try_recv(), Some(0));
        assert_eq!(receiver.try_recv(), None);
    }

    #[test]
    fn an_answer_is_not_lost_with_a_message_that_nobody_receives() {
        let (sender, receiver) = unbounded::<u8>();
        let once = || Callback::to_sender(&sender, |value| value).exactly_once(|| 0);
        let (messages, queue) = unbounded();
        messages.send(once()).unwrap();
        drop(queue);
        assert_eq!(receiver.try_recv(), Some(0), "it was in the queue");
        assert!(messages.send(once()).is_err());
        assert_eq!(receiver.try_recv(), Some(0), "it did not get there");
        let bytes = postcard::to_stdvec(&once()).unwrap();
        assert_eq!(receiver.try_recv(), None, "it is on its way");
        drop(postcard::from_bytes::<Callback<u8>>(&bytes).unwrap());
        assert_eq!(receiver.try_recv(), Some(0));
    }

    #[test]
    fn a_wait_ends_at_its_time_limit() {
        let (sender, receiver) = unbounded::<u8>();
        assert_eq!(
            receiver.recv_timeout(Some(Duration::ZERO)),
            Received::TimedOut
        );
        sender.send(1).unwrap();
        assert_eq!(receiver.recv_timeout(None), Received::Message(1));
        drop(sender);
        assert_eq!(receiver.recv_timeout(None), Received::Disconnected);
    }
}
