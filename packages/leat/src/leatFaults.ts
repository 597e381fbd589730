/** What is wrong with the options of a leat, for callers without types: every fault, each with its path and what to do. */
import { Duration, Option } from "effect"
import { noContract } from "./contract/contractFault.ts"
import { meant } from "./given/nearest.ts"
import { isObject, kindOf, shown } from "./given/takes.ts"
import { nameFault } from "./given/nameFault.ts"
import { nodeFault } from "./given/nodeFault.ts"
import type { RouteFault } from "./routes/Routes.ts"
import { isRoutesFile, routesFileFaults } from "./routes/RoutesFile.ts"

/** Longest name of a source in bytes of UTF-8: it is in a header of each record that says who wrote it. */
const sourceBytesMax = 1024

/** The least that all buffers together may have: what one has at least. */
const bufferBytesMin = 65_536

/** Of a leat. */
export const leatOptionNames: ReadonlyArray<string> = [
  "source",
  "routes",
  "control",
  "drivers",
  "contracts",
  "ledger",
  "journal",
  "buffers",
  "drain"
]

/** The least time between two announcements of the ledger, in milliseconds: a typing error is a fault, and no store that is written without a pause. */
const ledgerEveryMsMin = 10

/** Empty when a leat can be made of them. The routes are checked where they are compiled. `names`: of the options that its door has. */
export function leatFaults(options: unknown, names = leatOptionNames): ReadonlyArray<RouteFault> {
  if (!isObject(options)) {
    const message = `a leat is opened with an object that has a source, as { source: "mobile-app" }, and not with ${kindOf(options)}`
    return [{ path: "options", message }]
  }
  const tooOld = nodeFault(globalThis.process?.versions?.node)
  if (tooOld !== undefined) return [{ path: "", message: tooOld }]
  const { source, routes, control, drivers, contracts, ledger, journal, buffers, drain } = options
  const found: Array<RouteFault> = Object.keys(options)
    .filter((name) => !names.includes(name))
    .map((path) => ({ path, message: path === "logger" ? loggerOfEffect : noOption(path, names) }))
  if (typeof source !== "string" || source === "") {
    const message = "a leat needs a source: the name of the service that publishes"
    found.push({ path: "source", message: source === "" ? message : `${message}, and not ${kindOf(source)}` })
  } else {
    const message = nameFault("a source", source, sourceBytesMax)
    if (message !== undefined) found.push({ path: "source", message })
  }
  if (isRoutesFile(routes)) found.push(...routesFileFaults(routes))
  if (control !== undefined) found.push(...controlFaults(control, routes))
  if (drivers !== undefined) found.push(...listFaults("drivers", drivers, "drivers: [log]", noDriver))
  if (contracts !== undefined)
    found.push(...listFaults("contracts", contracts, "contracts: [BeaconSighting]", noContract))
  if (ledger !== undefined) found.push(...ledgerFaults(ledger))
  if (journal !== undefined && !(isObject(journal) && typeof journal["moved"] === "function"))
    found.push({ path: "journal", message: "is no journal: an object with a function `moved`" })
  const { logger } = options
  if (logger !== undefined && names.includes("logger") && typeof logger !== "function") {
    const example = "({ level, message }) => console[level](message)"
    found.push({ path: "logger", message: `is a function that takes a line, as ${example}, and not ${kindOf(logger)}` })
  }
  if (buffers !== undefined) found.push(...bufferFaults(buffers))
  return [...found, ...durationFaults("drain", drain)]
}

/** Of the door that has none. */
const loggerOfEffect =
  "is an option of open in leat/promise; with Effect, lines go to the loggers of the program: Effect.provide(Logger.layer([mine]))"

function noOption(path: string, names: ReadonlyArray<string>): string {
  return `is no option of a leat; it has ${names.join(", ")}${meant(path, names)}`
}

function bufferFaults(buffers: unknown): ReadonlyArray<RouteFault> {
  if (!isObject(buffers)) {
    const message = `say how many bytes all buffers may have together, as { bytes: 67_108_864 }, and not ${kindOf(buffers)}`
    return [{ path: "buffers", message }]
  }
  const found = Object.keys(buffers)
    .filter((name) => name !== "bytes")
    .map((name) => ({ path: `buffers.${name}`, message: "is not known here; buffers have bytes" }))
  const { bytes } = buffers
  if (typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= bufferBytesMin) return found
  return [...found, { path: "buffers.bytes", message: `${shown(bytes)} is not a whole number from ${bufferBytesMin}` }]
}

function controlFaults(control: unknown, routes: unknown): ReadonlyArray<RouteFault> {
  if (!isObject(control) || !isObject(control["cluster"])) {
    const message = `says where the control stream is, as { cluster: { transport: "@leat/log", directory: "./control" } }`
    return [{ path: "control", message }]
  }
  const found = Object.keys(control)
    .filter((name) => name !== "cluster" && name !== "topic" && name !== "lease")
    .map((name) => ({ path: `control.${name}`, message: "is not known here; control has cluster, topic, lease" }))
  const { topic, lease } = control
  found.push(...leaseFaults(lease))
  if (topic !== undefined && (typeof topic !== "string" || !/^[^\s/{}]{1,249}$/.test(topic)))
    found.push({ path: "control.topic", message: "is the name of a topic, without spaces, slashes and braces" })
  if (isRoutesFile(routes)) {
    const message =
      "a file that is followed and a control stream would both say what is in force; give its text, to begin with"
    found.push({ path: "routes.file", message })
  }
  return found
}

/** Who beats as it should is never silent for a lease. */
function leaseFaults(lease: unknown): ReadonlyArray<RouteFault> {
  const found = durationFaults("control.lease", lease)
  if (found.length > 0 || lease === undefined) return found
  const isLonger = Option.exists(Duration.fromInput(lease as Duration.Input), (one) => Duration.toSeconds(one) > 5)
  return isLonger ? [] : [{ path: "control.lease", message: "is longer than 5 seconds: processes beat so often" }]
}

function listFaults(
  path: string,
  value: unknown,
  example: string,
  faultOf: (item: unknown) => string | undefined
): ReadonlyArray<RouteFault> {
  if (!Array.isArray(value)) return [{ path, message: `is a list, as ${example}, and not ${kindOf(value)}` }]
  return value.flatMap((item: unknown, index) => {
    const message = faultOf(item)
    return message === undefined ? [] : [{ path: `${path}[${index}]`, message }]
  })
}

function noDriver(value: unknown): string | undefined {
  const isDriver =
    isObject(value) &&
    typeof value["name"] === "string" &&
    typeof value["inspect"] === "function" &&
    typeof value["open"] === "function"
  if (isDriver) return undefined
  return `is no driver, but ${kindOf(value)}: a driver is imported from its package, as log from @leat/log`
}

function ledgerFaults(ledger: unknown): ReadonlyArray<RouteFault> {
  if (!isObject(ledger) || !isObject(ledger["store"]) || typeof ledger["store"]["save"] !== "function")
    return [{ path: "ledger", message: `says where counters go, as { store: ledgerStore("./data") } of @leat/log` }]
  return durationFaults("ledger.every", ledger["every"], ledgerEveryMsMin)
}

function durationFaults(path: string, value: unknown, msMin = 0): ReadonlyArray<RouteFault> {
  if (value === undefined) return []
  const duration = Option.map(Duration.fromInput(value as Duration.Input), Duration.toMillis)
  if (Option.isSome(duration) && duration.value >= msMin) return []
  const from = msMin === 0 ? "" : ` from ${msMin} milliseconds`
  return [{ path, message: `is no duration${from}: "10 seconds", or milliseconds as a number from ${msMin}` }]
}
