/** The prototypes of all objects, as they were when this file was loaded. */
const prototypes = [Object, Array, Function, String, Number, Map, Uint8Array, Error].map(({ prototype }) => ({
  prototype,
  names: Reflect.ownKeys(prototype).length
}))

/** Whether one of them has been changed since. */
export function isPolluted(): boolean {
  return "polluted" in {} || prototypes.some(({ prototype, names }) => Reflect.ownKeys(prototype).length !== names)
}
