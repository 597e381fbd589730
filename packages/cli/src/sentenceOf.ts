/** What a command line that cannot be parsed is told, in the sentences of all other faults. */

const kinds: ReadonlyMap<string, string> = new Map([
  ["a string representing a finite number", "no number"],
  ["an integer", "no whole number"]
])

const needs: ReadonlyMap<string, string> = new Map([
  ["string", "a text"],
  ["integer", "a whole number"],
  ["number", "a number"]
])

/** The sentence of a message of the parser. One that it is not known to give stays what it is. */
export function sentenceOf(message: string): string {
  const [, flag = "", value = "", expected = ""] =
    /^Invalid value for flag (\S+): "(.*)"\. Expected:? (.*)$/s.exec(message) ?? []
  if (flag !== "") return valueSentence(flag, value.replace(/^some\((.*)\)$/s, "$1"), expected)
  const [, without = "", kind = ""] = /^Missing value for flag (\S+)\. Expected: (\S+)$/.exec(message) ?? []
  if (without !== "") return `${without} needs a value: ${needs.get(kind) ?? kind}`
  return logSentence(message) ?? meantSentence(message)
}

/** What looks at other clusters, for who asks a command to that looks at the folder of a log alone. */
const elsewhere: ReadonlyMap<string, string> = new Map([
  ["lag", "how far a group has got in another cluster, leat audit --routes FILE --group NAME tells"],
  [
    "events",
    "the topics of another cluster are checked by leat audit --routes FILE, and its own tools print their records"
  ]
])

function logSentence(message: string): string | undefined {
  const [, flag = "", command = "", noun = ""] =
    /^Unrecognized flag: (--routes|--cluster) in command (leat (lag|events)(?: \w+)?)/.exec(message) ?? []
  const hint = elsewhere.get(noun)
  return hint === undefined ? undefined : `${command} has no ${flag}: it looks at a log in a folder; ${hint}`
}

function valueSentence(flag: string, value: string, expected: string): string {
  // The commands' own sentences: "--limit is 1 or more".
  if (expected.startsWith(`${flag} `)) return `${expected}, and not ${value}`
  const kind = kinds.get(expected)
  if (kind !== undefined) return `${flag} ${value} is ${kind}`
  const names = [...expected.matchAll(/"([^"]*)"/g)].map(([, name]) => name)
  return `${flag} ${value} is ${names.length === 0 ? `not ${expected}` : `none of ${names.join(", ")}`}`
}

/** What may have been meant stands below each other, in a column of its own; here it ends the sentence. */
function meantSentence(message: string): string {
  const [told = "", meant] = message.split(/\s*Did you mean this\?\s*/)
  return meant === undefined ? told : `${told}; did you mean ${meant.split(/\s*\n\s*/).join(" or ")}?`
}
