import { Result } from "effect"
import { memory, Policy, Routes } from "leat"
import { describe, expect, it } from "vitest"
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
