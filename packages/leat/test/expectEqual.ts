/** `toEqual` for what is compared after every step of thousands of drawn walks. */
import { isDeepStrictEqual } from "node:util"
import { expect } from "vitest"

/** `toEqual` takes ten times as long, and says what differs: it is asked only where Node finds a difference, and then it decides. */
export function expectEqual<Value>(found: Value, wanted: Value): void {
  if (!isDeepStrictEqual(found, wanted)) expect(found).toEqual(wanted)
}
