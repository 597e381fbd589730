/**
 * The filter `--where`: one condition each time it is given, and all of them hold together. The fields are those of a dead letter; texts
 * are compared whole.
 */
import { Effect, Option } from "effect"
import type { DeadLetters } from "leat"
import { CommandFailure, exitCode } from "../outcome.ts"

type Condition = (letter: DeadLetters.ListedLetter) => boolean

/** What the conditions say, and the partition if they name one. */
export interface Where {
  readonly holds: Condition
  readonly partition?: number
}

/** Each field: how its text is read; undefined: it cannot be. */
const fields: Readonly<Record<string, (text: string) => Condition | undefined>> = {
  tag:
    (text) =>
    ({ letter }) =>
      letter.tag === text,
  stage: (text) => (stages.includes(text) ? ({ letter }) => letter.stage === text : undefined),
  key: keyIs,
  since: (text) => atTime(text, (ms, limitMs) => ms >= limitMs),
  until: (text) => atTime(text, (ms, limitMs) => ms < limitMs),
  partition: (text) => (/^\d{1,9}$/.test(text) ? ({ partition }) => partition === Number(text) : undefined),
  position: positionIs
}

const stages: ReadonlyArray<string> = ["decode", "handle", "crash", "publish"]

const shapes =
  "tag=CardDeclined, stage=decode|handle|crash|publish, key=o-1 (or 0x6f2d31), since=2026-11-24T09:00:00Z, until=..., partition=0, position=0/17 (or 0/17..42)"

/** Reads all conditions of a command line. */
export const parseWhere = (texts: ReadonlyArray<string>): Effect.Effect<Where, CommandFailure> =>
  Effect.map(Effect.forEach(texts, parseOne), (conditions) => {
    const partitions = texts.flatMap((text) => /^(?:partition=|position=)(\d+)/.exec(text)?.[1] ?? [])
    const [partition] = partitions
    return {
      holds: (letter) => conditions.every((holds) => holds(letter)),
      ...(partition === undefined ? {} : { partition: Number(partition) })
    }
  })

function parseOne(text: string): Effect.Effect<Condition, CommandFailure> {
  const [, name = "", value = ""] = /^(\w+)=(.+)$/s.exec(text) ?? []
  const condition = Object.hasOwn(fields, name) ? fields[name]?.(value) : undefined
  if (condition !== undefined) return Effect.succeed(condition)
  const message = `--where ${text} is no condition; say ${shapes}`
  return Effect.fail(new CommandFailure({ code: exitCode.misuse, message }))
}

/** By bytes: a key need not be text. */
function keyIs(text: string): Condition {
  const bytes = /^0x(?:[\da-f]{2})+$/i.test(text) ? Buffer.from(text.slice(2), "hex") : Buffer.from(text)
  return ({ key }) => key !== null && bytes.equals(key)
}

/** When a letter was set aside: by its own word, else by the backend's. */
export function setAsideMs({ letter, timeMs }: DeadLetters.ListedLetter): number {
  return letter.atMs ?? timeMs
}

function atTime(text: string, compare: (ms: number, limitMs: number) => boolean): Condition | undefined {
  const limitMs = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(limitMs) ? undefined : (letter) => compare(setAsideMs(letter), limitMs)
}

function positionIs(text: string): Condition | undefined {
  const [, partition, first, last = first] = /^(\d{1,9})\/(\d{1,18})(?:\.\.(\d{1,18}))?$/.exec(text) ?? []
  if (partition === undefined || first === undefined || last === undefined) return undefined
  return (letter) =>
    letter.partition === Number(partition) && letter.position >= BigInt(first) && letter.position <= BigInt(last)
}

/** The letters that a command line means, and who means them. */
export function chosenBy(
  { holds, partition }: Where,
  { limit, by }: { readonly limit: Option.Option<number>; readonly by: string }
): DeadLetters.ChosenLetters {
  return {
    where: holds,
    ...(partition === undefined ? {} : { partition }),
    ...(Option.isSome(limit) ? { limit: limit.value } : {}),
    by
  }
}
