import { type LogLine, Severity } from "../gen/risk/v1/log.ts"
import type { Line } from "./Line.ts"

interface Parts {
  readonly host: string
  readonly program: string
  readonly processId?: number
  readonly severity: LogLine["severity"]
  readonly atUs: bigint
  readonly message: string
  readonly component?: string
}

/** Syslog lines carry no year. All are taken to be of this one; only the distance between lines matters here. */
const syslogYear = 2015

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

/** One line of a log, in whichever of the known formats it is. */
export function parseLogLine(text: string, ref: string): Line {
  if (!text.isWellFormed() || text.includes("\uFFFD")) return { kind: "malformed", ref, reason: "it is not UTF-8 text" }
  const parts = openStack(text) ?? zooKeeper(text) ?? apache(text) ?? syslog(text)
  if (parts === undefined) return { kind: "malformed", ref, reason: "it is in no known log format" }
  const { component, ...fields } = parts
  const failure = loginFailure(parts.message)
  const detail: Pick<LogLine, "detail"> =
    failure !== undefined
      ? { detail: { case: "loginFailure", value: failure } }
      : component !== undefined
        ? { detail: { case: "service", value: { component } } }
        : {}
  return { kind: "log", event: { ...fields, ...detail, inputRef: ref }, atUs: parts.atUs }
}

/** `Dec 10 06:55:46 LabSZ sshd[24200]: message` */
function syslog(text: string): Parts | undefined {
  const found =
    /^([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d):(\d\d):(\d\d) (\S+) +([^:[\s]+(?:\([^)]*\))?)(?:\[(\d+)\])?:? ?(.*)$/.exec(
      text
    )
  if (found === null) return undefined
  const [, monthName = "", day, hour, minute, second, host = "", program = "", processId, message = ""] = found
  const month = months.indexOf(monthName)
  if (month < 0) return undefined
  const atUs = utc(syslogYear, month, Number(day), Number(hour), Number(minute), Number(second), 0)
  if (atUs === undefined) return undefined
  const id = processId === undefined || Number(processId) > 0xffffffff ? {} : { processId: Number(processId) }
  return { host, program, ...id, severity: severityOf(message), atUs, message }
}

/** `[Sun Dec 04 04:47:44 2005] [error] message` */
function apache(text: string): Parts | undefined {
  const found = /^\[[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d\d) (\d\d):(\d\d):(\d\d) (\d{4})\] \[([a-z]+)\] (.*)$/.exec(text)
  if (found === null) return undefined
  const [, monthName = "", day, hour, minute, second, year, level = "", message = ""] = found
  const month = months.indexOf(monthName)
  const atUs =
    month < 0 ? undefined : utc(Number(year), month, Number(day), Number(hour), Number(minute), Number(second), 0)
  return atUs === undefined ? undefined : { host: "apache", program: "httpd", severity: named(level), atUs, message }
}

/** `2015-07-29 17:41:44,747 - INFO  [thread:Class@line] - message` */
function zooKeeper(text: string): Parts | undefined {
  const found = /^(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d),(\d{3}) - ([A-Z]+) +\[(.*?)\] - (.*)$/.exec(text)
  if (found === null) return undefined
  const [, year, month, day, hour, minute, second, millis, level = "", component = "", message = ""] = found
  const atUs = utc(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
    Number(millis)
  )
  return atUs === undefined
    ? undefined
    : { host: "zookeeper", program: "zookeeper", severity: named(level), atUs, message, component }
}

/** `nova-api.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25746 INFO nova.osapi [req-...] message` */
function openStack(text: string): Parts | undefined {
  const found =
    /^([a-z-]+)\.log\S* (\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{3}) (\d{1,9}) ([A-Z]+) (\S+) (.*)$/.exec(text)
  if (found === null) return undefined
  const [
    ,
    program = "",
    year,
    month,
    day,
    hour,
    minute,
    second,
    millis,
    processId,
    level = "",
    component = "",
    message = ""
  ] = found
  const atUs = utc(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
    Number(millis)
  )
  if (atUs === undefined) return undefined
  return { host: "openstack", program, processId: Number(processId), severity: named(level), atUs, message, component }
}

/** A failed log-in, as sshd and pam_unix report it. */
function loginFailure(message: string): { readonly user: string; readonly sourceAddress: string } | undefined {
  const sshd = /Failed password for (?:invalid user )?(.*?) from (\S+) port \d+/.exec(message)
  if (sshd !== null) return { user: sshd[1] ?? "", sourceAddress: sshd[2] ?? "" }
  const pam = /authentication failure;.*\brhost=(\S+)(?:\s+user=(\S+))?/.exec(message)
  return pam === null ? undefined : { user: pam[2] ?? "", sourceAddress: pam[1] ?? "" }
}

function named(level: string): LogLine["severity"] {
  switch (level.toUpperCase()) {
    case "DEBUG":
    case "TRACE":
      return Severity.DEBUG
    case "INFO":
    case "NOTICE":
      return Severity.INFO
    case "WARN":
    case "WARNING":
      return Severity.WARN
    case "ERROR":
    case "CRIT":
    case "FATAL":
      return Severity.ERROR
    default:
      return Severity.UNSPECIFIED
  }
}

/** Syslog files carry no level either; the words say enough for a demonstration. */
function severityOf(message: string): LogLine["severity"] {
  if (/\b(fail|failed|failure|error|invalid)\b/i.test(message)) return Severity.WARN
  return Severity.INFO
}

/** Undefined for what is no time, such as the 31st of June. */
function utc(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
  millis: number
): bigint | undefined {
  const time = Date.UTC(year, month, day, hour, minute, second, millis)
  const date = new Date(time)
  const isReal =
    date.getUTCMonth() === month &&
    date.getUTCDate() === day &&
    date.getUTCHours() === hour &&
    minute < 60 &&
    second < 60
  return isReal ? BigInt(time) * 1000n : undefined
}
