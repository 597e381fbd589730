import { Result } from "effect"
import { memory, Routes } from "leat"
import { faultDriver } from "leat/testing"
import type { Capabilities, Driver } from "leat/transport"
import { describe, expect, it } from "vitest"
import { noteContract } from "../contracts/Note.js"

/** A cluster of memory that declares less, or has an address. */
const lesser = (name: string, over: Partial<Capabilities>, addresses: ReadonlyArray<string> = []): Driver => {
  const driver = faultDriver(memory, {})
  return {
    ...driver,
    name,
    inspect: (config) => {
      const found = driver.inspect(config)
      return "issues" in found ? found : { capabilities: { ...found.capabilities, ...over }, addresses }
    }
  }
}

const drivers = [
  memory,
  lesser("shared", {}, ["somewhere"]),
  lesser("bare", { ordering: "none", appendWithPosition: false, groups: "none" }),
  lesser("kept", { ephemeral: false }),
  lesser("solid", { acks: ["fsync"] }),
  lesser("late", { ordering: "exceptAfterInDoubt" })
]

const leg = (more: object) => ({ cluster: "far", topic: "{stream}", ...more })

const compiled = (to: object, more: object = {}, contract?: Parameters<typeof noteContract>[0]) =>
  Routes.compile(
    {
      version: 1,
      clusters: {
        far: { transport: "solid" },
        near: { transport: "shared" },
        here: { transport: "shared" },
        bare: { transport: "bare" },
        late: { transport: "late" },
        solid: { transport: "solid" }
      },
      policies: {
        falling: [{ on: ["passing"], then: "fallback" }],
        dropping: [{ on: ["Rejected"], then: "drop" }],
        strictly: [{ on: ["*"], then: "halt" }]
      },
      routes: [{ match: { stream: "*" }, to: [to] }],
      ...more
    },
    { drivers, ...(contract === undefined ? {} : { contracts: [noteContract(contract)] }) }
  )

const faultsOf = (...asked: Parameters<typeof compiled>) => {
  const table = compiled(...asked)
  return Result.isFailure(table) ? table.failure.faults.map(({ path, message }) => `${path}: ${message}`) : []
}

const falling = (fallback: object, policy: string | ReadonlyArray<string> = "falling") => leg({ policy, fallback })
const redrive = { cluster: "near", back: "redrive" }

describe("the fallback of a leg", () => {
  it("is another cluster, and a policy that falls back", () => {
    expect(faultsOf(falling(redrive))).toEqual([])
    expect(faultsOf(falling(redrive, ["falling", "strict"]))).toEqual([])
  })

  it.each([
    [
      { cluster: "nowhere", back: "redrive" },
      ".fallback.cluster: no cluster named nowhere; there is far, near, here, bare"
    ],
    [
      { cluster: "far", back: "redrive" },
      ".fallback.cluster: far is the cluster that it is to stand in for: it is away"
    ],
    [{ cluster: "near", back: "redrve" }, ".fallback.back: redrve is none of redrive, stay; did you mean redrive?"],
    [{ cluster: "near" }, ".fallback.back: is missing; the fallback of a leg has cluster, back"],
    [{ ...redrive, topik: "x" }, ".fallback.topik: is no field of the fallback of a leg, which has cluster, back"],
    [
      { cluster: "bare", back: "redrive" },
      ".fallback.cluster: a fallback that is sent on needs order of a partition and positions of what it stores and groups, which cluster bare does not declare"
    ]
  ])("%j", (fallback, told) => {
    const faults = faultsOf(falling(fallback))
    expect(faults).toEqual([expect.stringContaining(`routes[0].to[0]${told}`)])
  })

  it("may be several, which are tried in order", () => {
    const several = falling([redrive, { cluster: "solid", back: "redrive" }])
    expect(faultsOf({ ...several, cluster: "late" })).toEqual([])
    const [first] = Result.getOrThrow(compiled({ ...several, cluster: "late" })).lookup("a", "b")?.legs ?? []
    expect(first?.fallback).toEqual({ clusters: ["near", "solid"], back: "redrive" })
    expect(Result.getOrThrow(compiled({ ...several, cluster: "late" })).explain("a", "b")).toContain(
      "falls back to near, then solid, back: redrive)"
    )
  })

  it("is the same as a list of one", () => {
    const one = (fallback: object) => Result.getOrThrow(compiled(falling(fallback))).lookup("a", "b")?.legs[0]
    expect(one([redrive])).toEqual(one(redrive))
  })

  it.each([
    ["none", [], ": is empty; it needs one entry at least"],
    ["twice", [redrive, redrive], "[1].cluster: near is named twice: it is away when that is; name another"],
    [
      "one place",
      [redrive, { cluster: "here", back: "redrive" }],
      "[1].cluster: here and near are one place: it is away when that is; name another"
    ],
    [
      "itself",
      [redrive, { cluster: "far", back: "redrive" }],
      "[1].cluster: far is the cluster that it is to stand in for: it is away when that is; name another"
    ],
    [
      "unknown",
      [redrive, { cluster: "nowhere", back: "redrive" }],
      "[1].cluster: no cluster named nowhere; there is far, near, here, bare, late, solid"
    ],
    [
      "unfit",
      [redrive, { cluster: "bare", back: "redrive" }],
      "[1].cluster: a fallback that is sent on needs order of a partition and positions of what it stores and groups, which cluster bare does not declare"
    ],
    [
      "mixed",
      [redrive, { cluster: "late", back: "stay" }],
      ": what falls back is sent on from all places of a leg, or stays in all of them; say the same back for each"
    ],
    ["too many", [redrive, redrive, redrive, redrive], ": has 4 fallbacks; a leg has 3 at most"],
    [
      "another field",
      [{ ...redrive, topik: "x" }],
      "[0].topik: is no field of a fallback of a leg, which has cluster, back"
    ],
    ["a name", ["near"], "[0]: is a text, and must be an object, as { cluster: second, back: redrive }"]
  ])("of several: %s", (_, fallback, told) => {
    expect(faultsOf(falling(fallback))).toContain(`routes[0].to[0].fallback${told}`)
  })

  it("gives what the contract needs, each of them", () => {
    const several = [
      { cluster: "late", back: "stay" },
      { cluster: "near", back: "stay" }
    ]
    expect(faultsOf(falling(several), {}, { needs: ["order"] })).toContain(
      "routes[0].to[0].fallback: test.Note needs order, and what stays in a fallback is read beside later events of its key; say redrive"
    )
    expect(faultsOf(falling([redrive, { cluster: "solid", back: "redrive" }]), {}, { needs: ["fsync"] })).toEqual([
      expect.stringMatching(
        /^routes\[0\]\.to\[0\]\.fallback\[0\]\.cluster: .* needs fsync, which cluster near does not declare$/
      )
    ])
  })

  it("is needed by a rule that falls back, and needs one", () => {
    expect(faultsOf(leg({ policy: "falling" }))).toEqual([
      "routes[0].to[0].policy: the policy falling falls back, and this leg does not say where; add fallback: { cluster: ..., back: redrive } with another cluster"
    ])
    expect(faultsOf(falling(redrive, "strictly"))).toEqual([
      "routes[0].to[0].fallback: no policy of this leg falls back, so nothing would ever go there; add a rule with then: fallback"
    ])
  })

  it("is not beside a spill", () => {
    const both = { ...falling(redrive), spill: { cluster: "solid" } }
    expect(faultsOf(both)).toContain(
      "routes[0].to[0].fallback: a leg has a spill or a fallback, and not both in this version; take one of them away"
    )
  })

  it("is nothing that a subscription could have", () => {
    const more = { subscriptions: [{ match: { stream: "*" }, policy: "falling" }] }
    expect(faultsOf(leg({}), more)).toEqual([
      "subscriptions[0].policy: the policy falling falls back, which a subscription cannot: its events stand in their topic; say drop, deadLetter or halt"
    ])
  })

  it("gives what the contract needs", () => {
    expect(faultsOf(falling(redrive), {}, { needs: ["fsync"] })).toEqual([
      expect.stringMatching(
        /^routes\[0\]\.to\[0\]\.fallback\.cluster: .* needs fsync, which cluster near does not declare$/
      )
    ])
    expect(faultsOf(falling({ cluster: "solid", back: "redrive" }), {}, { needs: ["fsync"] })).toEqual([])
    expect(faultsOf(falling(redrive), {}, { needs: ["order"] })).toEqual([])
    // Where nothing fences, what is given up may land behind what was stored.
    expect(
      faultsOf(falling({ cluster: "late", back: "redrive" }, ["falling", "dropping"]), {}, { needs: ["order"] })
    ).toEqual([
      expect.stringMatching(
        /^routes\[0\]\.to\[0\]\.policy: .* needs order, which cluster late keeps only where nothing is given up/
      )
    ])
  })

  it("keeps what it stores, where the level is durable", () => {
    const at = (cluster: string) => ({
      routes: [{ match: { stream: "*" }, level: "durable", to: [falling({ cluster, back: "redrive" })] }]
    })
    const kept = {
      clusters: { far: { transport: "kept" }, near: { transport: "memory" }, other: { transport: "kept" } }
    }
    expect(faultsOf({}, { ...kept, ...at("near") })).toEqual([
      expect.stringMatching(
        /^routes\[0\]\.level: the level durable needs a cluster that keeps what it stores, which near /
      )
    ])
    expect(faultsOf({}, { ...kept, ...at("other") })).toEqual([])
  })

  it("has a topic whose name a broker takes", () => {
    const faults = faultsOf(leg({ policy: "falling", fallback: redrive, topic: "t".repeat(240) }), {}, {})
    expect(faults).toEqual([
      "routes[0].to[0].fallback: the topic there may have 259 characters, with the names of cluster and topic in it; the limit is 249"
    ])
  })

  it("stays where order is not needed, and no key has a last record", () => {
    const stay = { cluster: "bare", back: "stay" }
    expect(faultsOf(falling(stay))).toEqual([])
    expect(faultsOf(falling(stay), {}, { needs: [] })).toEqual([])
    expect(faultsOf(falling({ cluster: "near", back: "stay" }), {}, { needs: ["order"] })).toEqual([
      "routes[0].to[0].fallback.back: test.Note needs order, and what stays in a fallback is read beside later events of its key; say redrive"
    ])
    expect(faultsOf(falling(stay), {}, { compacted: true })).toEqual([
      "routes[0].to[0].fallback.back: test.Note is compacted, and the last record of a key would stand in two topics; say redrive"
    ])
    expect(faultsOf(falling(redrive), {}, { compacted: true })).toEqual([])
  })

  it("is shown by explain", () => {
    const table = Result.getOrThrow(compiled(falling(redrive)))
    expect(table.explain("a", "b")).toContain("falls back to near, back: redrive)")
  })
})
