/** Random types of events, the paths of their personal data, and events of them that hold secrets there. */
import fc from "fast-check"

/** A type, as far as masking sees it. */
export type Shape =
  | { readonly is: "value"; readonly isPersonal: boolean }
  | { readonly is: "list" | "map"; readonly of: Shape; readonly isPersonal: boolean }
  | { readonly is: "oneof" | "message"; readonly of: Readonly<Record<string, Shape>> }
  /** The message so many messages further out, once more. */
  | { readonly is: "again"; readonly up: number }

/** What must never be shown: in text, numbers and bytes. */
export const secret = /ann|5417|adad/i
const secrets = fc.constantFrom<unknown>(
  "Ann",
  ["Ann"],
  5417,
  54_170_000n,
  new Uint8Array(4).fill(0xad),
  { name: "Ann" },
  new Map([["Ann", 1]]),
  { case: "name", value: "Ann" }
)
const openly = fc.constantFrom<unknown>("b", 1, 2n, true, null, new Uint8Array(2), { c: ["d"] }, Number.NaN, undefined)

const names = ["one", "two", "case", "value", "__proto", "toString"]
const { message } = fc.letrec<{ message: Shape; part: Shape; value: Shape }>((tie) => ({
  value: fc.record({ is: fc.constant("value" as const), isPersonal: fc.boolean() }),
  part: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    tie("value"),
    fc.record({ is: fc.constantFrom("list" as const, "map" as const), of: tie("part"), isPersonal: fc.boolean() }),
    tie("message"),
    fc.record({ is: fc.constant("oneof" as const), of: members(tie("part")) }),
    fc.record({ is: fc.constant("again" as const), up: fc.nat(2) })
  ),
  message: fc.record({ is: fc.constant("message" as const), of: members(tie("part")) })
}))

export const anyShape: fc.Arbitrary<Shape> = message

function members(part: fc.Arbitrary<Shape>): fc.Arbitrary<Readonly<Record<string, Shape>>> {
  return fc.dictionary(fc.constantFrom(...names), part, { minKeys: 1, maxKeys: 3, noNullPrototype: true })
}

/** The paths, spelled as a contract has them. */
export function pathsOf(shape: Shape, path = "", around: ReadonlyArray<string> = []): ReadonlyArray<string> {
  switch (shape.is) {
    case "value":
      return shape.isPersonal ? [path] : []
    case "list":
    case "map":
      return shape.isPersonal ? [path] : pathsOf(shape.of, path + (shape.is === "list" ? "[]" : "{}"), around)
    case "oneof":
      return Object.entries(shape.of).flatMap(([name, of]) => pathsOf(of, `${path}<${name}>`, around))
    case "message": {
      const within = [path, ...around]
      return Object.entries(shape.of).flatMap(([name, of]) =>
        pathsOf(of, path === "" ? name : `${path}.${name}`, within)
      )
    }
    case "again": {
      const like = around[Math.min(shape.up, around.length - 1)] ?? ""
      return [`${path} = ${like === "" ? "$" : like}`]
    }
  }
}

/** Events of a type; `misfits` have something else, full of secrets, where personal data should be further inside. */
export function anyEventOf(
  shape: Shape,
  oddity: "fitting" | "misfits",
  around: ReadonlyArray<Shape> = [],
  levels = 6
): fc.Arbitrary<unknown> {
  const inside = (of: Shape, also: ReadonlyArray<Shape> = []) =>
    anyEventOf(of, oddity, [...also, ...around], levels - 1)
  if (levels === 0) return fc.constant(undefined)
  switch (shape.is) {
    case "value":
      return shape.isPersonal ? secrets : openly
    case "list":
      if (shape.isPersonal) return secrets
      return orMisfit(shape, oddity, fc.array(inside(shape.of), { maxLength: 3 }), [
        "Ann",
        { 0: "Ann" },
        new Map([[0, "Ann"]])
      ])
    case "map":
      if (shape.isPersonal) return secrets
      return orMisfit(
        shape,
        oddity,
        fc
          .array(fc.tuple(fc.string({ maxLength: 2 }), inside(shape.of)), { maxLength: 3 })
          .map((entries) => new Map(entries)),
        ["Ann", ["Ann"], { a: "Ann" }, 5417n]
      )
    case "oneof": {
      const cases = Object.entries(shape.of).map(([name, of]) =>
        fc.record({ case: fc.constant(name), value: inside(of) })
      )
      return orMisfit(shape, oddity, fc.oneof(...cases), [
        "Ann",
        ["Ann"],
        { value: "Ann" },
        { case: 1, value: "Ann" },
        { value: { name: "Ann" } }
      ])
    }
    case "message": {
      const properties = Object.entries(shape.of).map(([name, of]) => [name, inside(of, [shape])] as const)
      return orMisfit(shape, oddity, fc.record(Object.fromEntries(properties), { requiredKeys: [] }), [
        "Ann",
        ["Ann"],
        new Map([["one", "Ann"]]),
        new Uint8Array(3).fill(0xad)
      ])
    }
    case "again": {
      const up = Math.min(shape.up, around.length - 1)
      const like = around[up]
      if (like === undefined) return fc.constant(undefined)
      return anyEventOf(like, oddity, around.slice(up + 1), levels - 1)
    }
  }
}

function orMisfit(
  shape: Shape,
  oddity: "fitting" | "misfits",
  fitting: fc.Arbitrary<unknown>,
  misfits: ReadonlyArray<unknown>
): fc.Arbitrary<unknown> {
  if (oddity === "fitting" || pathsOf(shape).length === 0) return fitting
  return fc.oneof({ weight: 4, arbitrary: fitting }, { weight: 1, arbitrary: fc.constantFrom(...misfits) })
}
