import { describe, expect, it } from "vitest"
import { isKeyPersonal } from "../../src/contract/isKeyPersonal.js"

describe("a key", () => {
  it.for([
    ["user_id", ["userId"], true],
    ["user_id", ["userName", "user"], false],
    ["visitor.user_id", ["visitor"], true],
    ["visitor.user_id", ["visitor.userId"], true],
    ["visitor.user_id", ["visitor.name", "visitors[].userId"], false],
    ["user_id", [], false],
    [undefined, ["userId"], false]
  ] as const)("at %s where %s is personal: %s", ([keyPath, personal, isPersonal]) => {
    expect(isKeyPersonal({ keyPath, personal })).toBe(isPersonal)
  })
})
