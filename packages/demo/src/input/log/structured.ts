/** Lines that are data: JSON objects, and `key=value` pairs. Their message is the whole line. */
import type { LogLine } from "../../gen/risk/v1/log.ts"
import { headCharsMax, type Known } from "./Known.ts"
import { severityNamed, severityOfNumber, severityOfPriority } from "./severity.ts"
import { epochStamp, readStamp, type Stamp } from "./Stamp.ts"

/** Names that loggers use, the most usual first. */
const keys = {
  time: ["time", "timestamp", "@timestamp", "ts", "t", "datetime", "date", "@t", "asctime", "__REALTIME_TIMESTAMP"],
  level: ["level", "severity", "lvl", "levelname", "log.level", "@l", "loglevel", "status"],
  host: ["host", "hostname", "host.name", "_HOSTNAME", "node", "server"],
  program: ["program", "service", "service.name", "app", "SYSLOG_IDENTIFIER", "application"],
  processId: ["pid", "process_id", "process.pid", "_PID"],
  component: ["component", "logger", "module", "caller", "class", "log.logger", "name"]
} as const

/** Longest text that is tried as JSON, in characters: a hostile one costs most here. */
const jsonCharsMax = 128 * 1024

type Values = (key: string) => unknown

/** Undefined for what is no such line. */
export function readStructured(text: string, at: number): Known | undefined {
  return text.startsWith("{", at) ? readJson(text, at) : readPairs(text, at)
}

function readJson(text: string, at: number): Known | undefined {
  if (text.length > jsonCharsMax || !text.endsWith("}")) return undefined
  try {
    const object: unknown = JSON.parse(at === 0 ? text : text.slice(at))
    if (typeof object !== "object" || object === null) return undefined
    return knownFrom((key) => valueAt(object, key), at)
  } catch {
    return undefined
  }
}

/** `log.level` is the name of a value, or of one inside another. */
function valueAt(object: object, key: string): unknown {
  if (Object.hasOwn(object, key)) return Reflect.get(object, key)
  const dot = key.indexOf(".")
  const inner: unknown = dot < 0 ? undefined : valueAt(object, key.slice(0, dot))
  return typeof inner === "object" && inner !== null ? valueAt(inner, key.slice(dot + 1)) : undefined
}

/** Only pairs in the first part of a line are looked at, two at least, of which the first begins the line. */
function readPairs(text: string, at: number): Known | undefined {
  const pair = /([A-Za-z_@][\w.@-]{0,63})=(?:"((?:[^"\\]|\\.){0,512})"|([^\s"]{0,512}))(?:\s|$)\s?/y
  const start = text.slice(at, at + headCharsMax)
  const found = new Map<string, string>()
  for (;;) {
    const [, key, quoted, plain = ""] = pair.exec(start) ?? []
    if (key === undefined) break
    if (!found.has(key)) found.set(key, quoted ?? plain)
  }
  return found.size < 2 ? undefined : knownFrom((key) => found.get(key), at)
}

function knownFrom(values: Values, messageAt: number): Known {
  const stamp = first(keys.time, values, stampOf)
  const severity = first(keys.level, values, severityOf) ?? first(["PRIORITY"], values, priorityOf)
  const host = first(keys.host, values, textOf)
  const program = first(keys.program, values, textOf)
  const processId = first(keys.processId, values, processIdOf)
  const component = first(keys.component, values, textOf)
  return {
    messageAt,
    ...(stamp === undefined ? {} : { stamp }),
    ...(severity === undefined ? {} : { severity }),
    ...(host === undefined ? {} : { host }),
    ...(program === undefined ? {} : { program }),
    ...(processId === undefined ? {} : { processId }),
    ...(component === undefined ? {} : { component })
  }
}

/** What the first key holds of which something can be made. */
function first<A>(names: ReadonlyArray<string>, values: Values, of: (value: unknown) => A | undefined): A | undefined {
  for (const name of names) {
    const value = values(name)
    const found = value === undefined ? undefined : of(value)
    if (found !== undefined) return found
  }
  return undefined
}

function stampOf(value: unknown): Stamp | undefined {
  if (typeof value !== "number" && typeof value !== "string") return undefined
  const text = String(value).slice(0, 64)
  const [, digits, fraction] = /^(1\d{9}(?:\d{9}|\d{6}|\d{3})?)(?:\.(\d{1,9})\d*)?$/.exec(text) ?? []
  return digits === undefined ? readStamp(text, 0)?.stamp : epochStamp(digits, fraction)
}

function severityOf(value: unknown): LogLine["severity"] | undefined {
  if (typeof value === "string") return severityNamed(value)
  return typeof value === "number" ? severityOfNumber(value) : undefined
}

function priorityOf(value: unknown): LogLine["severity"] | undefined {
  const priority = Number(value)
  return Number.isInteger(priority) && priority >= 0 && priority <= 7 ? severityOfPriority(priority) : undefined
}

/** Short enough for a key; escapes of JSON may make what is no text. */
function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && value.length <= 255 && value.isWellFormed() ? value : undefined
}

function processIdOf(value: unknown): number | undefined {
  const id = typeof value === "number" || (typeof value === "string" && value !== "") ? Number(value) : Number.NaN
  return Number.isInteger(id) && id >= 0 && id <= 0xffffffff ? id : undefined
}
