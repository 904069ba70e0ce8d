/** Names that the generated code of one language or another cannot have, so that no contract gives them to any. */

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/));

/** The fields of messages are attributes in Python. */
const PYTHON_KEYWORDS = words(
  `False None True and as assert async await break class continue def del elif else except finally for from global if
  import in is lambda nonlocal not or pass raise return try while with yield`,
);

/** Parameters and options are bindings in Node: what no binding of a class may be called. */
const NODE_RESERVED = words(
  `arguments await break case catch class const continue debugger default delete do else enum eval export extends false
  finally for function if implements import in instanceof interface let new null package private protected public return
  static super switch this throw true try typeof undefined var void while with yield`,
);

/** Variables of the methods that are generated. */
const LOCALS = words(
  `builtins core ctx element err handler items method on_error opts options page payload request response rpcs self
  signal call_timeout`,
);

/** Of each class in Node, and what makes a value a promise. */
const NODE_MEMBERS = words('constructor then');

/** What clients have beside their services. */
const CLIENT_MEMBERS = words('close connect constructor is_closed pending_calls raw then');

/** What the generated modules import or find in their language, and what the packages export. */
const KNOWN_TYPES = words(
  `Any Array AsyncIterator Boolean Callable Client ConnectOptions Core Date Error ErrorHandler ErrorReason Function
  GomsgError Handler Hooks Iterable Iterator Map Mapping Number Object Optional Promise Runner Set StrEnum String
  Subscription Symbol TlsOptions Uint8Array`,
);

/** Of a method, such as `set_ttl`. Python's keywords get an underscore there. */
export function isMethodName(name: string): boolean {
  return /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/.test(name) && !NODE_MEMBERS.has(name);
}

export function isServiceName(name: string): boolean {
  return !CLIENT_MEMBERS.has(name) && !PYTHON_KEYWORDS.has(name);
}

/** Python's keywords get an underscore there. */
export function isParameterName(name: string): boolean {
  return !NODE_RESERVED.has(name) && !LOCALS.has(name);
}

export function isFieldName(name: string): boolean {
  return !PYTHON_KEYWORDS.has(name) && !NODE_MEMBERS.has(name);
}

/** Of an enum's value in lower case. */
export function isValueName(name: string): boolean {
  return /^[a-z]/.test(name);
}

export function isTypeName(name: string): boolean {
  return !KNOWN_TYPES.has(name);
}
