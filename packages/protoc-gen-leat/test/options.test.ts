import fc from "fast-check"
import { maskEvent } from "leat"
import { describe, expect, it } from "vitest"
import { anyEvent } from "./anyEvent.js"
import { named } from "./contracts.js"
import { Kinds } from "./gen/test/v1/kinds.js"
import { BigKey, BytesKey, Defaults, Everything, NumberKey, Person, Unordered } from "./gen/test/v1/options.js"
import { masked } from "./masked.js"

describe("a contract", () => {
  it("says what its option says, and the defaults of what that does not say", () => {
    expect(Defaults).toMatchObject({
      name: "test.v1.Defaults",
      stream: "test.options.defaults",
      buckets: 3840,
      compacted: false,
      unordered: false,
      needs: [],
      keyPath: "id",
      personal: []
    })
    expect(Everything).toMatchObject({
      stream: "test.options.everything_1-a",
      buckets: 65_536,
      compacted: true,
      needs: ["compaction", "order", "replay", "fsync", "quorum"],
      keyPath: "inside.id"
    })
    expect(Unordered).toMatchObject({ unordered: true, compacted: false, needs: ["fsync"], keyPath: undefined })
  })

  it("finds the key of an event, of whatever type, and none where there is none", () => {
    expect(Defaults.key({ id: "a" })).toBe("a")
    expect(Everything.key({ inside: { id: "a" } })).toBe("a")
    expect(Everything.key({})).toBeUndefined()
    expect(BytesKey.key({ id: Uint8Array.of(1) })).toEqual(Uint8Array.of(1))
    expect(NumberKey.key({ smallId: -5 })).toBe(-5)
    expect(NumberKey.key({})).toBeUndefined()
    expect(BigKey.key({ at: { seconds: 2n ** 62n, nanos: 0 } })).toBe(2n ** 62n)
    expect(BigKey.key({})).toBeUndefined()
    expect(Unordered.key({})).toBeUndefined()
  })
})

describe("personal data", () => {
  it("is told by path: a type that comes again by where it came first", () => {
    expect(Person.personal).toEqual([
      "fullName",
      "phone",
      "photo",
      "emails",
      "notes",
      "isIll",
      "hair",
      "bornAt",
      "home",
      "work.street",
      "earlier[] = work",
      "others{} = work",
      "contact<mail>",
      "contact<letterBox> = work",
      "contact<friend> = $",
      "partner = $",
      "children[] = $",
      "team.lead = $",
      "team.parts[] = team",
      "choice.value = work"
    ])
    expect(Kinds.personal).toEqual(["place.code", "places[] = place", "placesById{} = place"])
  })

  it.each(named)("is masked in %s, and nothing else", (_name, { contract, desc }) => {
    fc.assert(
      fc.property(anyEvent(desc, 2), (event) => {
        expect(maskEvent(contract, event)).toEqual(maskEvent({ ...contract, personal: [] }, masked(desc, event)))
      })
    )
  })
})
