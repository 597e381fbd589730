/** Every setting of a route, a leg and a group, and where it comes from: a place in the document, or the defaults. */
import type { Leg, Route, Routes } from "leat"

export interface Setting {
  /** As the document calls it. */
  readonly setting: string
  /** In force, with the default filled in. */
  readonly value: string
  /** Where the document says so, as `routes[0].level`; `default` where it does not. */
  readonly from: string
}

const fromDefault = "default"

/** Settings under a place of the document: those that are not written there are defaults. */
function settingsAt(written: object | undefined, path: string) {
  return (setting: string, value: string): Setting => {
    const isWritten = setting
      .split(".")
      .reduce<unknown>((at, name) => (at as Readonly<Record<string, unknown>> | undefined)?.[name], written)
    return { setting, value, from: isWritten === undefined ? fromDefault : `${path}.${setting}` }
  }
}

export function routeSettings({ document }: Routes, route: Route): ReadonlyArray<Setting> {
  const { index, level, partitioner, objective } = route
  const at = settingsAt(document.routes[index], `routes[${index}]`)
  const loss = objective === undefined ? "none" : `${objective.loss} in ${ms(objective.windowMs)}`
  return [at("level", level), at("partitioner", partitioner), at("objective", loss)]
}

export function legSettings({ document, clusters }: Routes, leg: Leg): ReadonlyArray<Setting> {
  const [, route = "", position = ""] = /^routes\[(\d+)\]\.to\[(\d+)\]$/.exec(leg.path) ?? []
  const written = document.routes[Number(route)]?.to[Number(position)]
  const at = settingsAt(written, leg.path)
  const { canary, spill, breaker, fallback } = leg
  return [
    { setting: "transport", value: clusters.get(leg.cluster)?.driver.name ?? "", from: `clusters.${leg.cluster}` },
    at("required", leg.required ? "true" : "false"),
    at("wire", leg.wire),
    at("policy", policyText(document.policies, written?.policy, "strict")),
    at("buffer.bytes", String(leg.bufferBytesMax)),
    at("buffer.overflow", leg.overflow),
    at("linger", ms(leg.lingerMs)),
    at("batch.bytes", String(leg.batchBytes)),
    at("batch.records", String(leg.batchRecords)),
    at("timeout", ms(leg.timeoutMs)),
    at("epoch", String(leg.epoch)),
    at("canary", canary === undefined ? "none" : `buckets ${canary.from}-${canary.to}%`),
    at("spill", spill === undefined ? "none" : spillText(spill)),
    at("breaker", breaker === undefined ? "none" : `at ${breaker.failureRate} of ${breaker.minSends} sends`),
    at("fallback", fallback === undefined ? "none" : `${clustersText(fallback.clusters)}, back: ${fallback.back}`)
  ]
}

function clustersText(clusters: ReadonlyArray<string>): string {
  return clusters.length === 1 ? `cluster ${clusters.join("")}` : `clusters ${clusters.join(", then ")}`
}

function spillText({ cluster, bytesMax, ratePerSecond, ageMsMax }: NonNullable<Leg["spill"]>): string {
  const rate = ratePerSecond === undefined ? "" : `, ${ratePerSecond} events a second`
  const age = ageMsMax === undefined ? "" : `, at most ${ms(ageMsMax)}`
  return `cluster ${cluster}, ${bytesMax} bytes${rate}${age}`
}

export function subscriptionSettings(routes: Routes, stream: string, group: string): ReadonlyArray<Setting> {
  const { document } = routes
  const settings = routes.subscription(stream, group)
  const { from, dedupeRecords: records, retryDelaysMs: delays } = settings
  const index = routes.subscriptionIndex(stream, group)
  const written = document.subscriptions?.[index]
  const at = settingsAt(written, `subscriptions[${index}]`)
  const begin = typeof from === "string" ? from : JSON.stringify(written?.from)
  return [
    at("policy", policyText(document.policies, written?.policy, "standard")),
    at("from", begin),
    at("concurrency", String(settings.concurrency)),
    at("buffer.bytes", String(settings.bufferBytesMax)),
    at("settleEvery", ms(settings.settleEveryMs)),
    at("drain", ms(settings.drainMs)),
    at("crashLoop", String(settings.crashLoop)),
    at("dedupe", records === undefined ? "none" : `${records} records`),
    at("retryTopics", delays.length === 0 ? "none" : delays.map(ms).join(", "))
  ]
}

/** The names, and where the rules of each stand. */
function policyText(
  own: Routes["document"]["policies"],
  written: string | ReadonlyArray<string> | undefined,
  otherwise: string
): string {
  const names = written === undefined ? [otherwise] : [written].flat()
  return names
    .map((name) => `${name} (${own !== undefined && Object.hasOwn(own, name) ? `policies.${name}` : "built in"})`)
    .join(", ")
}

const units: ReadonlyArray<readonly [name: string, millis: number]> = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000]
]

/** As a document writes a duration. */
function ms(millis: number): string {
  const [name, size] = units.find(([, one]) => millis >= one && millis % one === 0) ?? ["ms", 1]
  const count = millis / size
  return name === "ms" ? `${count} ms` : `${count} ${name}${count === 1 ? "" : "s"}`
}
