// https://dom.spec.whatwg.org/#nodes

[Exposed=Window]
interface Node : EventTarget {
  const unsigned short ELEMENT_NODE = 1;
  const unsigned short ATTRIBUTE_NODE = 2;
  const unsigned short TEXT_NODE = 3;
  const unsigned short CDATA_SECTION_NODE = 4;
  const unsigned short ENTITY_REFERENCE_NODE = 5;
  const unsigned short ENTITY_NODE = 6;
  const unsigned short PROCESSING_INSTRUCTION_NODE = 7;
  const unsigned short COMMENT_NODE = 8;
  const unsigned short DOCUMENT_NODE = 9;
  const unsigned short DOCUMENT_TYPE_NODE = 10;
  const unsigned short DOCUMENT_FRAGMENT_NODE = 11;
  const unsigned short NOTATION_NODE = 12;
  readonly attribute unsigned short nodeType;
  readonly attribute DOMString nodeName;

  [Throws] readonly attribute USVString baseURI;

  readonly attribute boolean isConnected;
  [Throws] readonly attribute Document? ownerDocument;
  Node getRootNode();
  [Throws] readonly attribute Node? parentNode;
  [Throws] readonly attribute Element? parentElement;
  boolean hasChildNodes();
  [Throws] readonly attribute NodeList childNodes;
  [Throws] readonly attribute Node? firstChild;
  [Throws] readonly attribute Node? lastChild;
  [Throws] readonly attribute Node? previousSibling;
  [Throws] readonly attribute Node? nextSibling;

  attribute DOMString? nodeValue;
  attribute DOMString? textContent;
  undefined normalize();

  Node cloneNode(optional boolean subtree = false);
  boolean isSameNode(Node? otherNode);

  const unsigned short DOCUMENT_POSITION_DISCONNECTED = 0x01;
  const unsigned short DOCUMENT_POSITION_PRECEDING = 0x02;
  const unsigned short DOCUMENT_POSITION_FOLLOWING = 0x04;
  const unsigned short DOCUMENT_POSITION_CONTAINS = 0x08;
  const unsigned short DOCUMENT_POSITION_CONTAINED_BY = 0x10;
  const unsigned short DOCUMENT_POSITION_IMPLEMENTATION_SPECIFIC = 0x20;
  unsigned short compareDocumentPosition(Node other);
  boolean contains(Node? other);

  Node insertBefore(Node node, Node? child);
  Node appendChild(Node node);
  Node replaceChild(Node node, Node child);
  Node removeChild(Node child);
};

interface mixin NonElementParentNode {
  Element? getElementById(DOMString elementId);
};
Document includes NonElementParentNode;
DocumentFragment includes NonElementParentNode;

interface mixin ParentNode {
  [Throws] readonly attribute HTMLCollection children;
  [Throws] readonly attribute Element? firstElementChild;
  [Throws] readonly attribute Element? lastElementChild;
  readonly attribute unsigned long childElementCount;

  undefined prepend((Node or DOMString)... nodes);
  undefined append((Node or DOMString)... nodes);
  undefined replaceChildren((Node or DOMString)... nodes);

  Element? querySelector(DOMString selectors);
  NodeList querySelectorAll(DOMString selectors);
};
Document includes ParentNode;
DocumentFragment includes ParentNode;
Element includes ParentNode;

interface mixin NonDocumentTypeChildNode {
  [Throws] readonly attribute Element? previousElementSibling;
  [Throws] readonly attribute Element? nextElementSibling;
};
Element includes NonDocumentTypeChildNode;
CharacterData includes NonDocumentTypeChildNode;

interface mixin ChildNode {
  undefined before((Node or DOMString)... nodes);
  undefined after((Node or DOMString)... nodes);
  undefined replaceWith((Node or DOMString)... nodes);
  undefined remove();
};
DocumentType includes ChildNode;
Element includes ChildNode;
CharacterData includes ChildNode;

[Exposed=Window]
interface NodeList {
  getter Node? item(unsigned long index);
  readonly attribute unsigned long length;
  iterable<Node>;
};

[Exposed=Window]
interface HTMLCollection {
  readonly attribute unsigned long length;
  getter Element? item(unsigned long index);
  Element? namedItem(DOMString name);
};

[Exposed=Window]
interface DocumentType : Node {
  readonly attribute DOMString name;
  readonly attribute DOMString publicId;
  readonly attribute DOMString systemId;
};

[Exposed=Window]
interface DocumentFragment : Node {
  constructor();
};

[Exposed=Window]
interface CharacterData : Node {
  attribute DOMString? data;
  readonly attribute unsigned long length;
  undefined appendData(DOMString data);
};

[Exposed=Window]
interface Text : CharacterData {
  constructor(optional DOMString data = "");
  readonly attribute DOMString wholeText;
};

[Exposed=Window]
interface Comment : CharacterData {
  constructor(optional DOMString data = "");
};

[Exposed=Window]
interface DOMTokenList {
  readonly attribute unsigned long length;
  getter DOMString? item(unsigned long index);
  boolean contains(DOMString token);
  undefined add(DOMString... tokens);
  undefined remove(DOMString... tokens);
  boolean toggle(DOMString token, optional boolean force);
  boolean replace(DOMString token, DOMString newToken);
  stringifier attribute DOMString value;
  iterable<DOMString>;
};

[Exposed=Window]
interface Element : Node {
  readonly attribute DOMString? namespaceURI;
  readonly attribute DOMString? prefix;
  readonly attribute DOMString localName;
  readonly attribute DOMString tagName;

  attribute DOMString id;
  attribute DOMString className;
  [Throws, PutForwards=value] readonly attribute DOMTokenList classList;

  boolean hasAttributes();
  sequence<DOMString> getAttributeNames();
  DOMString? getAttribute(DOMString qualifiedName);
  undefined setAttribute(DOMString qualifiedName, DOMString value);
  undefined removeAttribute(DOMString qualifiedName);
  boolean toggleAttribute(DOMString qualifiedName, optional boolean force);
  boolean hasAttribute(DOMString qualifiedName);

  Element? closest(DOMString selectors);
  boolean matches(DOMString selectors);

  HTMLCollection getElementsByTagName(DOMString qualifiedName);
  HTMLCollection getElementsByClassName(DOMString classNames);

  Element? insertAdjacentElement(DOMString where, Element element);
  undefined insertAdjacentText(DOMString where, DOMString data);
  undefined insertAdjacentHTML(DOMString position, DOMString string);

  // https://html.spec.whatwg.org/multipage/dynamic-markup-insertion.html
  attribute DOMString? innerHTML;
  attribute DOMString? outerHTML;
};

enum DocumentReadyState { "loading", "interactive", "complete" };

[Exposed=Window]
interface Document : Node {
  readonly attribute USVString URL;
  readonly attribute USVString documentURI;
  readonly attribute DOMString compatMode;
  readonly attribute DOMString characterSet;
  readonly attribute DOMString charset;
  readonly attribute DOMString inputEncoding;
  readonly attribute DOMString contentType;

  [Throws] readonly attribute DocumentType? doctype;
  [Throws] readonly attribute Element? documentElement;
  HTMLCollection getElementsByTagName(DOMString qualifiedName);
  HTMLCollection getElementsByClassName(DOMString classNames);

  Element createElement(DOMString localName);
  DocumentFragment createDocumentFragment();
  Text createTextNode(DOMString data);
  Comment createComment(DOMString data);
  Node importNode(Node node, optional boolean subtree = false);
  Node adoptNode(Node node);

  // https://html.spec.whatwg.org/multipage/dom.html#the-document-object
  [LegacyUnforgeable, PutForwards=href, Throws] readonly attribute Location? location;
  readonly attribute USVString referrer;
  [Throws] attribute USVString cookie;
  readonly attribute DocumentReadyState readyState;
  attribute DOMString title;
  [Throws] readonly attribute HTMLElement? body;
  [Throws] readonly attribute HTMLElement? head;
  [Throws] readonly attribute HTMLScriptElement? currentScript;
  NodeList getElementsByName(DOMString elementName);
  Document open(optional DOMString unused1, optional DOMString unused2);
  undefined close();
  undefined write(DOMString... text);
  undefined writeln(DOMString... text);
  readonly attribute any defaultView;
  boolean hasFocus();
  readonly attribute boolean hidden;
  readonly attribute DocumentVisibilityState visibilityState;
  [Throws] readonly attribute Element? activeElement;
  attribute EventHandler onreadystatechange;
  attribute EventHandler onvisibilitychange;
};
Document includes GlobalEventHandlers;
