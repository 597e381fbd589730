import { heads, type Head } from "./heads.ts"
import { headCharsMax, type Known } from "./Known.ts"
import { severityNamed, severityOfPriority, severityOfStatus } from "./severity.ts"
import { readStamp, type Stamp } from "./Stamp.ts"

type Groups = Readonly<Record<string, string | undefined>>

/** What stands before the message of a line in one of the known heads; undefined where none is. */
export function readHead(text: string, at = 0): Known | undefined {
  const start = text.slice(0, at + headCharsMax)
  for (const head of heads) {
    const known = readAs(head, start, at)
    if (known !== undefined) return known
  }
  return levelAlone(start, at)
}

function readAs(head: Head, text: string, at: number): Known | undefined {
  const before = matched(head.before, text, at)
  if (before === undefined) return undefined
  const time = readStamp(text, before.end)
  if (time === undefined) return undefined
  for (const pattern of head.after) {
    const after = matched(pattern, text, time.end)
    const known = after && knownFrom({ ...before.groups, ...present(after.groups) }, time.stamp, after.end, head)
    if (known !== undefined) return known
  }
  return undefined
}

function matched(pattern: RegExp, text: string, at: number) {
  pattern.lastIndex = at
  const found = pattern.exec(text)
  return found === null ? undefined : { groups: found.groups ?? {}, end: pattern.lastIndex }
}

function present(groups: Groups): Groups {
  return Object.fromEntries(Object.entries(groups).filter(([, value]) => value !== undefined))
}

/** Undefined where what should be a level is none, or what should be a host is a level. */
function knownFrom(groups: Groups, stamp: Stamp, messageAt: number, head: Head): Known | undefined {
  const { level = groups["level2"], priority, status, host, pid, component, program = head.program } = groups
  const named = level === undefined ? undefined : severityNamed(level)
  if (level !== undefined && named === undefined) return undefined
  if (host !== undefined && host.length > 2 && severityNamed(host) !== undefined) return undefined
  const severity =
    named ??
    (priority !== undefined
      ? severityOfPriority(Number(priority))
      : status === undefined
        ? undefined
        : severityOfStatus(Number(status)))
  const processId = pid === undefined || Number(pid) > 0xffffffff ? undefined : Number(pid)
  return {
    stamp,
    messageAt,
    ...(severity === undefined ? {} : { severity }),
    ...(host === undefined || host === "-" ? {} : { host }),
    ...(program === undefined || program === "-" ? {} : { program }),
    ...(processId === undefined ? {} : { processId }),
    ...(component === undefined ? {} : { component })
  }
}

/** `ERROR message`, `[warn] message`, `INFO:logger:message`: a level, and no time. */
function levelAlone(text: string, at: number): Known | undefined {
  const found = matched(/(?:\[(?<level>[A-Za-z]{3,13})\]|(?<level2>[A-Z]{4,9})(?=[:\s]))(?:: ?| {1,4})/y, text, at)
  const severity = severityNamed(found?.groups["level"] ?? found?.groups["level2"] ?? "")
  return found === undefined || severity === undefined ? undefined : { severity, messageAt: found.end }
}
