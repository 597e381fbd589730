/** What is a `Uint8Array` and how long it is, by its brand: neither a proxy nor a subclass can lie about it, and other realms' arrays count. */

const typedArray: object = Object.getPrototypeOf(Uint8Array.prototype)

export function isBytes(value: unknown): value is Uint8Array {
  return Reflect.get(typedArray, Symbol.toStringTag, value) === "Uint8Array"
}

export function byteLength(bytes: Uint8Array): number {
  return Number(Reflect.get(typedArray, "length", bytes))
}
