import { it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { Leat, memory, Policy, Routes } from "leat"
import type { Capabilities, Driver } from "leat/transport"
import { describe, expect } from "vitest"
import { retryTopicFaults, retryTopicUseFaults } from "../../src/routes/retryTopicFaults.ts"
import { noteContract } from "../contracts/Note.ts"

const second = 1000
const day = 86_400 * second
const documentOf = (...subscriptions: ReadonlyArray<object>) => ({
  version: 1,
  clusters: { local: { transport: "memory" } },
  policies: {
    endless: [{ on: ["*"], retry: { base: "1 second" }, then: "halt" }],
    never: [
      { on: ["*"], then: "drop" },
      { on: ["Bug"], retry: { times: 1, base: "1 second" }, then: "halt" }
    ]
  },
  routes: [{ match: { stream: "*" }, to: [{ cluster: "local", topic: "{stream}" }] }],
  subscriptions: subscriptions.map((one) => ({ match: { stream: "*" }, ...one }))
})
const compile = (document: unknown, needs: ReadonlyArray<"order"> = []) =>
  Routes.compile(document, { drivers: [memory], contracts: [noteContract({ needs })] })
const faultsOf = (document: unknown, needs: ReadonlyArray<"order"> = []) => {
  const compiled = compile(document, needs)
  return Result.isFailure(compiled) ? compiled.failure.faults : []
}
const inDocument = (delays: unknown, more: object = {}) => documentOf({ retryTopics: { delays }, ...more })

describe("the retry topics of a document", () => {
  it("are the delays, one for each", () => {
    const compiled = compile(inDocument(["1 second", "10 minutes", "1 day"]))
    const routes = Result.getOrThrow(compiled)
    expect(routes.subscription("test.notes", "g").retryDelaysMs).toEqual([second, 600 * second, day])
    expect(Result.getOrThrow(compile(documentOf({}))).subscription("test.notes", "g").retryDelaysMs).toEqual([])
  })

  const at = "subscriptions[0].retryTopics.delays"
  it.each([
    [["1 minute", "1 minute"], `${at}[1]`, "60000 millis is not longer than the delay before it, 60000"],
    [["2 minutes", "1 minute"], `${at}[1]`, "60000 millis is not longer than the delay before it, 120000"],
    [["999 millis"], `${at}[0]`, "999 is not between 1000 and 86400000 millis"],
    [["25 hours"], `${at}[0]`, "90000000 is not between 1000 and 86400000 millis"],
    [
      Array.from({ length: 9 }, (_, index) => `${index + 1} minutes`),
      at,
      "has 9 delays; say 1 to 8, one for each retry topic"
    ],
    [["soon"], `${at}[0]`, "is no duration; write it as `50 millis`, `30 seconds` or `10 minutes`"],
    [[], at, "is empty; it needs one entry at least"]
  ])("%j are refused in one sentence", (delays, path, message) => {
    expect(faultsOf(inDocument(delays))).toEqual([{ path, message }])
  })

  it.each(["endless", "never", "strict"])("with the policy %s are refused: nothing would ever be moved", (policy) => {
    expect(faultsOf(inDocument(["1 minute"], { policy }))).toEqual([
      { path: "subscriptions[0].retryTopics", message: expect.stringMatching(/^nothing would ever be moved: /) }
    ])
  })

  it("have rules that move with the policy that a subscription has when it names none, and with one that is named beside", () => {
    expect(faultsOf(inDocument(["1 minute"]))).toEqual([])
    expect(faultsOf(inDocument(["1 minute"], { policy: ["strict", "standard"] }))).toEqual([])
  })

  it("are refused for a contract that needs order, wherever they may be meant for it", () => {
    const fault = (index: number) => ({
      path: `subscriptions[${index}].retryTopics`,
      message:
        "test.Note needs order, and later events of a key pass the one that waits in a retry topic; give test.notes an entry without them before this one"
    })
    const delays = { retryTopics: { delays: ["1 minute"] } }
    expect(faultsOf(documentOf(delays))).toEqual([])
    expect(faultsOf(documentOf(delays), ["order"])).toEqual([fault(0)])
    const other = { match: { stream: "other.*" }, ...delays }
    const ofGroup = { match: { stream: "test.notes", group: "a*" }, ...delays }
    const plain = { match: { stream: "test.*" } }
    expect(faultsOf(documentOf(other, ofGroup, plain, delays), ["order"])).toEqual([fault(1)])
    expect(faultsOf(documentOf({ match: { stream: "*", group: "a*" } }, ofGroup), ["order"])).toEqual([])
    expect(faultsOf(documentOf({ match: { stream: "*", group: "ab*" } }, ofGroup), ["order"])).toEqual([fault(1)])
  })
})

/** Clusters that say for how long they keep what nothing else is said of. */
const keeping: Driver = {
  ...memory,
  name: "keeping",
  open: (cluster) => memory.open(cluster, {}),
  inspect: ({ keepsMs }) => ({
    ...(memory.inspect({}) as { readonly capabilities: Capabilities }),
    keepsMs: Number(keepsMs)
  })
}

describe("retry topics where their cluster keeps less than a delay", () => {
  const kept = (leg: object, ...subscriptions: ReadonlyArray<object>) => ({
    version: 1,
    clusters: {
      short: { transport: "keeping", keepsMs: 60_000 },
      long: { transport: "keeping", keepsMs: 86_400_000 },
      any: { transport: "memory" }
    },
    policies: { away: [{ on: ["passing"], then: "fallback" }] },
    routes: [
      { match: { stream: "test.*" }, to: [{ topic: "{stream}", ...leg }] },
      { match: { stream: "*" }, to: [{ cluster: "any", topic: "{stream}" }] }
    ],
    subscriptions
  })
  const faults = (leg: object, ...subscriptions: ReadonlyArray<object>) => {
    const compiled = Routes.compile(kept(leg, ...subscriptions), {
      drivers: [memory, keeping],
      contracts: [noteContract()]
    })
    return Result.isFailure(compiled) ? compiled.failure.faults : []
  }
  const of = (stream: string, ...delays: ReadonlyArray<string>) => ({ match: { stream }, retryTopics: { delays } })
  const message = (delayMs: number) =>
    `${delayMs} millis is not shorter than the 60000 millis for which topics of cluster short keep what stands in them: an event would be deleted before it is tried again; say a shorter delay, or a longer retention in clusters.short`

  it("are refused by the document, with each delay", () => {
    expect(faults({ cluster: "short" }, of("*", "59 seconds", "1 minute", "2 minutes"))).toEqual([
      { path: "subscriptions[0].retryTopics.delays[1]", message: message(60_000) },
      { path: "subscriptions[0].retryTopics.delays[2]", message: message(120_000) }
    ])
    expect(faults({ cluster: "short" }, of("*", "59 seconds"))).toEqual([])
    expect(faults({ cluster: "long" }, of("*", "2 minutes"))).toEqual([])
    expect(faults({ cluster: "any" }, of("*", "1 day"))).toEqual([])
    // Of another stream, and what an entry before it has taken.
    expect(faults({ cluster: "short" }, of("other.*", "1 day"))).toEqual([])
    expect(faults({ cluster: "short" }, of("test.*", "1 second"), of("*", "1 day"))).toEqual([])
  })

  it("are refused where a fallback keeps less in which events stay, and there alone", () => {
    const leg = (back: string) => ({ cluster: "any", policy: "away", fallback: { cluster: "short", back } })
    expect(faults(leg("stay"), of("*", "2 minutes"))).toEqual([
      { path: "subscriptions[0].retryTopics.delays[0]", message: message(120_000) }
    ])
    expect(faults(leg("redrive"), of("*", "2 minutes"))).toEqual([])
  })

  it.live("are refused to code that asks for them", () =>
    Effect.gen(function* () {
      const leat = yield* Leat.make({ source: "test", drivers: [memory, keeping], routes: kept({ cluster: "short" }) })
      const notes = yield* leat.stream(noteContract())
      const handle = (group: string, ...delaysMs: ReadonlyArray<number>) =>
        notes.handle(group, () => Effect.void, { retryTopics: { delaysMs } })
      yield* handle("fits", 59_000)
      expect((yield* Effect.flip(handle("long", 1000, 60_000))).faults).toEqual([
        { path: "retryTopics.delaysMs[1]", message: message(60_000) }
      ])
    })
  )
})

describe("the retry topics of code", () => {
  it.each([
    [
      { delaysMs: [60_000, 60_000] },
      "retryTopics.delaysMs[1]",
      "60000 millis is not longer than the delay before it, 60000"
    ],
    [{ delaysMs: [Number.NaN] }, "retryTopics.delaysMs[0]", "NaN is not between 1000 and 86400000 millis"],
    [{ delaysMs: ["1 minute"] }, "retryTopics.delaysMs[0]", '"1 minute" is not between 1000 and 86400000 millis'],
    [{ delaysMs: [] }, "retryTopics.delaysMs", "has 0 delays; say 1 to 8, one for each retry topic"],
    [{ delays: [1] }, "retryTopics", "is an object, as { delaysMs: [60_000, 600_000] }, and not another object"],
    [[60_000], "retryTopics", "is an object, as { delaysMs: [60_000, 600_000] }, and not an array"],
    [null, "retryTopics", "is an object, as { delaysMs: [60_000, 600_000] }, and not null"],
    [{ delaysMs: [60_000], tiers: 3 }, "retryTopics.tiers", "is not known here; in code retry topics have delaysMs"]
  ])("%j are refused in one sentence", (given, path, message) => {
    expect(retryTopicFaults(given)).toEqual([{ path, message }])
  })

  it("are delays of a second to a day, each longer than the one before", () => {
    expect(retryTopicFaults({ delaysMs: [second, 2 * second, day] })).toEqual([])
    expect(retryTopicFaults(undefined)).toEqual([])
  })

  it("need a contract without a need of order, and a rule that gives up", () => {
    const contract = noteContract()
    expect(retryTopicUseFaults(contract, Policy.standard)).toEqual([])
    expect(retryTopicUseFaults(contract, Policy.strict)).toMatchObject([{ path: "retryTopics" }])
    expect(retryTopicUseFaults(noteContract({ needs: ["order"] }), Policy.standard)).toEqual([
      {
        path: "retryTopics",
        message:
          "test.Note needs order, and later events of a key pass the one that waits in a retry topic; retry in the lane"
      }
    ])
  })
})
