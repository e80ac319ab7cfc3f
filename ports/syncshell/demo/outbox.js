// The outbox: mails that the server has not taken yet. Shared by the page and the service worker.

function requestAsPromise(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function transactionAsPromise(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

function openMailDatabase() {
  const request = indexedDB.open("mail", 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("outbox", { keyPath: "id", autoIncrement: true });
  };
  return requestAsPromise(request);
}

const outbox = {
  async add(mail) {
    const database = await openMailDatabase();
    const transaction = database.transaction("outbox", "readwrite");
    transaction.objectStore("outbox").add(mail);
    await transactionAsPromise(transaction);
    database.close();
  },

  async all() {
    const database = await openMailDatabase();
    const mails = await requestAsPromise(
      database.transaction("outbox").objectStore("outbox").getAll(),
    );
    database.close();
    return mails;
  },

  async remove(id) {
    const database = await openMailDatabase();
    const transaction = database.transaction("outbox", "readwrite");
    transaction.objectStore("outbox").delete(id);
    await transactionAsPromise(transaction);
    database.close();
  },
};

async function deliver(mail) {
  const response = await fetch("mails", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(mail),
  });
  if (!response.ok) {
    throw new Error(`the server answered ${response.status}`);
  }
}
