/** Route documents, as text and as values, and policies. */
import { memory, Policy, Routes } from "leat"
import { Result } from "effect"
import { stringify } from "yaml"
import { BeaconSighting } from "../../packages/demo/src/gen/risk/v1/beacon.ts"
import { type Draw, mutateText, mutateValue, oneOf, upTo } from "./mutate.ts"
import type { Target } from "./Target.ts"

const document = {
  version: 3,
  clusters: { local: { transport: "memory", partitions: 3 }, spare: { transport: "memory" } },
  policies: {
    quick: [
      { on: ["Rejected", "TooLarge"], then: "drop" },
      {
        on: ["passing"],
        retry: { times: 3, base: "50 millis", factor: 2, maxDelay: "2 seconds", jitter: 0.5, deadline: "1 minute" },
        then: "drop"
      }
    ],
    patient: [{ on: ["*"], timeout: "5 seconds", retry: { times: 3, base: "1 second" }, then: "deadLetter" }]
  },
  routes: [
    {
      match: { stream: "risk.*", source: "mobile-*" },
      objective: { loss: 0.0001, window: "1 day" },
      to: [
        {
          cluster: "local",
          topic: "{stream}",
          policy: ["quick", "strict"],
          linger: "5 millis",
          timeout: "10 seconds",
          buffer: { bytes: 1_048_576, overflow: "dropOldest" },
          batch: { bytes: 65_536, records: 100 },
          wire: "cloudevents"
        },
        { cluster: "spare", topic: "copy", required: false }
      ]
    },
    { match: { stream: "*" }, to: [{ cluster: "local", topic: "all" }] }
  ],
  subscriptions: [
    {
      match: { stream: "risk.*", group: "positions" },
      policy: ["patient", "standard"],
      concurrency: 8,
      settleEvery: "1 second",
      drain: "5 seconds",
      from: "earliest"
    }
  ]
}

const texts = [JSON.stringify(document), JSON.stringify(document, undefined, 2), stringify(document)]
const options = { drivers: [memory], contracts: [BeaconSighting], source: "mobile-app" }

if (compiled(document) !== "a value") throw new Error("the document is wrong before it is changed")

function compiled(given: unknown): string {
  const result = Routes.compile(given, options)
  if (Result.isSuccess(result)) {
    result.success.explain("risk.beacons.sighting", "mobile-app")
    return "a value"
  }
  const { faults, message } = result.failure
  if (faults.length === 0 || message === "") throw new Error("a document is refused without a reason")
  return "RouteError"
}

const routeTexts: Target = {
  name: "route document as text",
  share: 15,
  give: (draw, given) => {
    const text = mutateText(draw, oneOf(draw, texts))
    given(text)
    return compiled(text)
  }
}

const routeValues: Target = {
  name: "route document as a value",
  share: 15,
  give: (draw, given) => {
    let value: unknown = document
    for (let change = upTo(draw, 3); change >= 0; change--) value = mutateValue(draw, value)
    given(value)
    return compiled(value)
  }
}

const rules = [
  { on: ["Malformed"], then: "drop" },
  {
    on: ["passing"],
    timeoutMs: 100,
    retry: { times: 3, baseMs: 10, factor: 2, maxDelayMs: 1000, jitter: 0.3 },
    then: "halt"
  },
  { on: ["*"], retry: { baseMs: 10, deadlineMs: 5000 }, then: "deadLetter" }
]

/** As `Policy.faults` takes it: whatever an application without types gives. */
function drawPolicy(draw: Draw): Policy.Policy {
  let value: unknown = rules
  for (let change = upTo(draw, 2); change >= 0; change--) value = mutateValue(draw, value)
  return value as Policy.Policy
}

const policies: Target = {
  name: "policy",
  share: 60,
  give: (draw, given) => {
    const policy = drawPolicy(draw)
    given(policy)
    const faults = Policy.faults(policy)
    if (faults.some(({ message }) => message === "")) throw new Error("a fault without words")
    if (faults.length > 0) return "faults"
    const failure = { tag: "Timeout", attempts: 1 + upTo(draw, 2000), elapsedMs: draw() * 1e9, random: draw() }
    const decision = Policy.decide(policy, failure)
    if ("retryAfterMs" in decision && !(decision.retryAfterMs >= 0 && decision.retryAfterMs <= 86_400_000))
      throw new Error(`a delay of ${decision.retryAfterMs} ms`)
    Policy.print(policy)
    return "a value"
  }
}

/** Documents and policies. */
export const documentTargets: ReadonlyArray<Target> = [routeTexts, routeValues, policies]
