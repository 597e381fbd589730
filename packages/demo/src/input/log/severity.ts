import { type LogLine, Severity } from "../../gen/risk/v1/log.ts"

type Level = LogLine["severity"]

const words: ReadonlyArray<readonly [Level, string]> = [
  [Severity.DEBUG, "trace debug dbg verbose finest finer fine config v d t"],
  [Severity.INFO, "info information informational notice note log hint statement i n"],
  [Severity.WARN, "warn warning w"],
  [Severity.ERROR, "error err eror crit critical alert emerg emergency fatal severe panic failure dpanic e f c a"]
]

const byWord: ReadonlyMap<string, Level> = new Map(
  words.flatMap(([level, names]) => names.split(" ").map((name) => [name, level] as const))
)

/** Severity of a level as systems name them; undefined for a word that names none. */
export function severityNamed(word: string): Level | undefined {
  return byWord.get(word.toLowerCase())
}

/** Of a priority of syslog: its three lowest bits, 0 is the worst. */
export function severityOfPriority(priority: number): Level {
  const level = priority & 7
  return level <= 3 ? Severity.ERROR : level === 4 ? Severity.WARN : level <= 6 ? Severity.INFO : Severity.DEBUG
}

/** Of an answer of HTTP. */
export function severityOfStatus(status: number): Level {
  return status >= 500 ? Severity.ERROR : status >= 400 ? Severity.WARN : Severity.INFO
}

/** Of a number as loggers of JavaScript write it: 10 for the finest, 60 for the worst. */
export function severityOfNumber(number: number): Level | undefined {
  if (number < 0 || number > 60) return undefined
  if (number < 10) return severityOfPriority(number)
  return number < 30 ? Severity.DEBUG : number < 40 ? Severity.INFO : number < 50 ? Severity.WARN : Severity.ERROR
}

/** Characters of a message whose words are looked at. */
const lookedAt = 4096

/** Of a message whose line names no level: its words say enough for a demonstration. */
export function severityOfWords(message: string): Level {
  const start = message.length > lookedAt ? message.slice(0, lookedAt) : message
  return /\b(?:fail|failed|failure|invalid|panic|traceback)\b|(?:error|exception)\b/i.test(start)
    ? Severity.WARN
    : Severity.INFO
}
