/**
 * Bugs of the protocol: in a file of the machine, or in what a shell does. Each breaks an invariant in one of the setups; a setup in which all of
 * them hold could not tell the protocol from one of these.
 */
import { readFileSync } from "node:fs"
import { registerHooks } from "node:module"
import { fileURLToPath } from "node:url"
import type { Conduct } from "./Machine.ts"

export interface ProtocolMutant {
  readonly name: string
  /** Text of files of `packages/leat/src/control`, which stands there once. */
  readonly edits?: ReadonlyArray<{ readonly file: string; readonly find: string; readonly replace: string }>
  readonly conduct?: Partial<Conduct>
  /** The setup in which it is found. */
  readonly in: string
  /** The invariant that it breaks, by the shortest story. */
  readonly breaks: string
}

export const protocolMutants: ReadonlyArray<ProtocolMutant> = [
  {
    name: "sealed without the barrier",
    edits: [
      {
        file: "moves",
        find: "if (record.over.get(member) !== beatsOf(member)) return undefined",
        replace: "if (record.over.has(member))"
      }
    ],
    conduct: { readsEndsLast: false },
    in: "merge",
    breaks: "I1"
  },
  {
    name: "who is missing is never passed over",
    edits: [
      {
        file: "moves",
        find: "if (record.over.get(member) !== beatsOf(member)) return undefined",
        replace: "if (member !== '') return undefined"
      }
    ],
    in: "crash",
    breaks: "I7"
  },
  {
    name: "opened before sealed",
    edits: [
      {
        file: "moves",
        find: "source === undefined || !isOver(source)) return undefined\n  if (begin",
        replace: "source === undefined) return undefined\n  if (begin"
      },
      {
        file: "duties",
        find: 'if (source !== undefined && isOver(source)) duties.push({ does: "open"',
        replace: 'if (source?.phase === "sealing") duties.push({ does: "open"'
      }
    ],
    in: "merge",
    breaks: "I9"
  },
  {
    name: "handed over by partition",
    edits: [
      {
        file: "readable",
        find: "if (!isPassed(earlier, parent, settledOf)) return false",
        replace: "if (parent === partition && !isPassed(earlier, parent, settledOf)) return false"
      }
    ],
    in: "merge",
    breaks: "I8"
  },
  {
    name: "handed over after the last epoch alone",
    edits: [
      {
        file: "readable",
        find: "const earlier = epochs.slice(0, index)",
        replace: "const earlier = epochs.slice(Math.max(0, index - 1), index)"
      }
    ],
    in: "on",
    breaks: "I8"
  },
  {
    name: "handed over by what is in hands",
    conduct: { asksWhatIsSettled: false },
    in: "revoke",
    breaks: "I8"
  },
  {
    name: "the gate opens without the sweep",
    edits: [
      {
        file: "standing",
        find: "({ over }) => over.has(member))",
        replace: "({ over }) => over.has(member) && over.get(member) === undefined)"
      }
    ],
    in: "suspicion",
    breaks: "I3"
  },
  {
    name: "who was passed over goes on",
    edits: [
      {
        file: "standing",
        find: "if (passed !== undefined)",
        replace: "if (passed !== undefined && placement.step < 0)"
      }
    ],
    in: "suspicion",
    breaks: "I7"
  },
  {
    name: "retired while somebody is swept",
    edits: [
      {
        file: "moves",
        find: "!isOver(found) || found.over.size > 0 ||",
        replace: '!isOver(found) || (found.phase === "abandoned" && found.over.size > 0) ||'
      },
      {
        file: "duties",
        find: "if (over.size === 0) return []",
        replace: 'if (over.size === 0 || phase === "retired") return []'
      }
    ],
    in: "suspicion",
    breaks: "I1"
  },
  {
    name: "sealed again while somebody is swept",
    edits: [
      { file: "moves", find: 'source?.phase !== "open" || isSweeping(placement)', replace: 'source?.phase !== "open"' },
      {
        file: "duties",
        find: 'source?.phase === "open" && !isSweeping(placement)',
        replace: 'source?.phase === "open"'
      }
    ],
    in: "suspicion back",
    breaks: "I7"
  },
  {
    name: "a step counts whatever it is based on",
    edits: [
      {
        file: "Control",
        find: '("base" in record && record.base !== placement.step)',
        replace: '("base" in record && record.base > placement.step)'
      }
    ],
    in: "two",
    breaks: "I5"
  },
  {
    name: "a table counts whatever it is based on",
    edits: [
      { file: "Control", find: "record.base === control.version ?", replace: "record.base <= control.version ?" }
    ],
    in: "two",
    breaks: "I5"
  },
  {
    name: "one step for all streams",
    edits: [
      {
        file: "Control",
        find: "record.base !== placement.step)",
        replace: "record.base !== Math.max(...[...control.streams.values()].map(({ step }) => step)))"
      }
    ],
    in: "neighbour",
    breaks: "I11"
  },
  {
    name: "gated in every stream",
    edits: [
      {
        file: "Control",
        find: "return { ...control, streams: new Map(control.streams).set(record.stream, next) }",
        replace:
          'if (record.kind === "sealing") return { ...control, streams: new Map([...control.streams].map(([name, one]) => [name, name === record.stream ? next : (sealing(one) ?? one)])) }\n  return { ...control, streams: new Map(control.streams).set(record.stream, next) }'
      }
    ],
    in: "neighbour",
    breaks: "I11"
  },
  {
    name: "drained counts for any sealing",
    edits: [
      { file: "moves", find: "epoch === undefined || epoch.attempt !== record.attempt", replace: "epoch === undefined" }
    ],
    in: "again",
    breaks: "I1"
  },
  {
    name: "aborted after sealed",
    edits: [
      {
        file: "moves",
        find: "if (isOver(source)) return",
        replace: 'if (source.phase === "abandoned") return'
      }
    ],
    in: "back",
    breaks: "I10"
  },
  {
    name: "a writer sends before its join is read back",
    edits: [
      { file: "standing", find: 'if (placement.writers.get(member) !== "joined") return { does: "wait" }', replace: "" }
    ],
    in: "late",
    breaks: "I7"
  },
  {
    name: "a strict writer does not look at its lease",
    edits: [
      {
        file: "standing",
        find: '(does === "send" || does === "drain") && hasLease',
        replace: '(does === "send" || does === "drain") && (hasLease || does === "send" || does === "drain")'
      }
    ],
    in: "strict",
    breaks: "I6"
  },
  {
    name: "a beat after the judgement is not looked at",
    edits: [
      {
        file: "moves",
        find: "record.over.get(member) !== beatsOf(member)",
        replace: "(record.over.get(member) ?? -1) > beatsOf(member)"
      }
    ],
    in: "strict",
    breaks: "I6"
  },
  {
    name: "who writes a stream is forgotten",
    edits: [{ file: "Control", find: 'if (writers.get(member) === "joined") return control', replace: "void writers" }],
    in: "strict",
    breaks: "I6"
  },
  {
    name: "a lease runs from when its beat is read back",
    conduct: { leasesFromWriting: false },
    in: "strict",
    breaks: "I6"
  },
  {
    name: "moved over behind what was gated",
    conduct: { movesInFront: false },
    in: "order",
    breaks: "I3"
  },
  {
    name: "moved over and kept",
    conduct: { takesAlong: false },
    in: "merge",
    breaks: "I4"
  },
  {
    name: "drained while a send has no answer",
    conduct: { settlesDoubt: false },
    in: "merge",
    breaks: "I4"
  },
  {
    name: "ends are read before the barrier, and taken",
    edits: [{ file: "moves", find: "if (!reaches(record.end, upTo)) return undefined", replace: "void upTo" }],
    conduct: { readsEndsLast: false },
    in: "merge",
    breaks: "I1"
  },
  {
    name: "an older epoch's records are delivered in a later range",
    edits: [
      {
        file: "readable",
        find: 'return recordEpoch < epoch ? "skip" : "stand"',
        replace: 'return recordEpoch < epoch ? "deliver" : "stand"'
      }
    ],
    in: "suspicion back",
    breaks: "I3"
  },
  {
    name: "a newer epoch's records are delivered by who does not know it",
    edits: [
      {
        file: "readable",
        find: 'return recordEpoch < epoch ? "skip" : "stand"',
        replace: 'return recordEpoch < epoch ? "skip" : "deliver"'
      }
    ],
    in: "back",
    breaks: "I8"
  },
  {
    name: "an epoch that is empty is never passed",
    edits: [
      {
        file: "readable",
        find: "Math.max(settledOf(place, partition), first) >= last",
        replace: "settledOf(place, partition) >= last"
      }
    ],
    in: "back",
    breaks: "I7"
  },
  {
    name: "the sweep begins at the end again",
    edits: [
      { file: "duties", find: "place, from: swept, members", replace: "place, from: swept.map(() => 0), members" }
    ],
    in: "suspicion",
    breaks: "I9"
  },
  {
    name: "the sweep goes on while it is in doubt",
    conduct: { sweepsInOrder: false },
    in: "sweep",
    breaks: "I1"
  },
  {
    name: "an abandoned place is waited for",
    edits: [{ file: "readable", find: 'if (earlier.phase === "abandoned") return true', replace: "void earlier" }],
    in: "dead",
    breaks: "I2"
  },
  {
    name: "what an abandoned place has is not read when it comes back",
    edits: [
      {
        file: "readable",
        find: "isPassed(epoch, partition, settledOf)) continue",
        replace: 'isPassed(epoch, partition, settledOf) || epoch.phase === "abandoned") continue'
      }
    ],
    in: "dead",
    breaks: "I7"
  },
  {
    name: "an abandoned place is sealed before the next one opens",
    edits: [
      {
        file: "duties",
        find: 'if (source !== undefined && isOver(source)) duties.push({ does: "open"',
        replace: 'if (source?.phase === "sealed") duties.push({ does: "open"'
      }
    ],
    in: "dead",
    breaks: "I7"
  },
  {
    name: "who leaves an abandoned place waits until it is swept",
    edits: [{ file: "moves", find: 'next.phase === "abandoned" || reaches', replace: "reaches" }],
    in: "dead suspicion",
    breaks: "I7"
  },
  {
    name: "nobody is told to leave an abandoned place",
    edits: [
      {
        file: "moves",
        find: "const over = new Map(owing.map((member) => [member, undefined]))",
        replace: "const over = new Map<string, undefined>()"
      }
    ],
    in: "dead",
    breaks: "I9"
  },
  {
    name: "a drain of a try before counts as having left",
    edits: [
      {
        file: "moves",
        find: "const attempt = isSealed ? found.attempt : later.epoch",
        replace: "const attempt = found.attempt"
      }
    ],
    in: "dead back",
    breaks: "I7"
  },
  {
    name: "handed over while somebody may write to an abandoned place",
    edits: [
      {
        file: "moves",
        find: 'if (epoch.phase === "abandoned" && epoch.over.size > 0) return undefined',
        replace: "void epoch"
      },
      {
        file: "duties",
        find: 'if (phase === "abandoned") return',
        replace:
          'if (phase === "abandoned") return [{ does: "retire", epoch: found }]\n  if (phase === "abandoned") return'
      },
      {
        file: "duties",
        find: "function sweepOf({ epoch, place, phase, swept, over }: Epoch, to: Epoch | undefined): ReadonlyArray<Duty> {",
        replace:
          "function sweepOf(found: Epoch, to: Epoch | undefined): ReadonlyArray<Duty> {\n  const { epoch, place, phase, swept, over } = found"
      }
    ],
    in: "dead",
    breaks: "I3"
  },
  {
    name: "an abandoned place is taken again",
    edits: [
      {
        file: "moves",
        find: "if (placement.epochs.some((one) => isEndless(one) && isSameTopic(one.place, place))) return undefined",
        replace: "void isEndless"
      }
    ],
    in: "dead back",
    breaks: "I7"
  },
  {
    name: "what is in doubt in an abandoned place waits for it",
    conduct: { takesDoubtAlong: false },
    in: "dead",
    breaks: "I7"
  },
  {
    name: "a snapshot forgets who was passed over",
    edits: [
      {
        file: "controlCodec",
        find: "over: mapOf(8, name, owing, writersMax)",
        replace: "over: { ...mapOf(8, name, owing, writersMax), write: () => undefined }"
      }
    ],
    in: "suspicion",
    breaks: "I1"
  },
  {
    name: "a snapshot forgets up to where was swept",
    edits: [
      {
        file: "controlCodec",
        find: "swept: positions(9)",
        replace: "swept: { ...positions(9), begin: () => [0, 0], write: () => undefined }"
      }
    ],
    in: "suspicion",
    breaks: "I9"
  },
  {
    name: "a snapshot forgets which sealing is answered",
    edits: [
      {
        file: "controlCodec",
        find: "attempt: one(6, count)",
        replace: "attempt: { ...one(6, count), write: () => undefined }"
      }
    ],
    in: "again",
    breaks: "I7"
  },
  {
    name: "a snapshot forgets the documents before",
    edits: [
      {
        file: "controlCodec",
        find: "history: list(6, applied, documentsKept)",
        replace: "history: { ...list(6, applied, documentsKept), write: () => undefined }"
      }
    ],
    in: "merge",
    breaks: "I5"
  },
  {
    name: "the document in force is kept alone",
    edits: [{ file: "Control", find: "const all = [...history, {", replace: "const all = [{" }],
    in: "merge",
    breaks: "I5"
  },
  {
    name: "a snapshot takes an end for none",
    edits: [
      {
        file: "controlCodec",
        find: "end: maybe(5, positionsThere)",
        replace: "end: { ...maybe(5, positionsThere), write: () => undefined }"
      }
    ],
    in: "back",
    breaks: "I7"
  },
  {
    name: "a snapshot takes a writer for one that has left",
    edits: [
      {
        file: "controlCodec",
        find: 'oneOf("joined", "left", "givenUp")',
        replace: '{ ...oneOf("joined", "left", "givenUp"), write: (writer) => void writer.uint32(2) }'
      }
    ],
    in: "merge",
    breaks: "I1"
  },
  {
    name: "retired before the group has settled it",
    edits: [
      {
        file: "moves",
        find: "if (![...placement.groups, ...groups].every((group) => found.handedOver.has(group))) return undefined",
        replace: "void groups"
      }
    ],
    conduct: { asksBeforeRetiring: false },
    in: "merge",
    breaks: "I2"
  },
  {
    name: "a sealing that was thought out before counts while it is paused",
    edits: [
      {
        file: "moves",
        find: "undefined : { ...placement, step: placement.step + 1, isPaused: true }",
        replace: "undefined : { ...placement, isPaused: true }"
      }
    ],
    in: "pause",
    breaks: "Pause"
  },
  {
    name: "who coordinates does not look whether it is paused",
    edits: [{ file: "duties", find: "!isSweeping(placement) && !isPaused)", replace: "!isSweeping(placement))" }],
    in: "pause",
    breaks: "Pause"
  },
  {
    name: "what has begun is held too",
    edits: [
      {
        file: "duties",
        find: "if (source !== undefined && isOver(source)) duties",
        replace: "if (source !== undefined && isOver(source) && !isPaused) duties"
      }
    ],
    in: "pause",
    breaks: "I7"
  },
  {
    name: "a snapshot does not say that it is paused",
    edits: [
      {
        file: "controlCodec",
        find: "isPaused: one(6, flag)",
        replace: "isPaused: { ...one(6, flag), write: () => {} }"
      }
    ],
    in: "pause",
    breaks: "Pause"
  }
]

const folder = new URL("../../src/control/", import.meta.url)

/** The text of a file with a mutant in it. Throws when what it changes does not stand there once. */
function planted({ name, edits = [] }: ProtocolMutant, file: string): string {
  let text = readFileSync(fileURLToPath(new URL(`${file}.ts`, folder)), "utf8")
  for (const { find, replace } of edits.filter((edit) => edit.file === file)) {
    if (text.split(find).length !== 2) throw new Error(`the text of "${name}" does not stand once in ${file}.ts`)
    text = text.replace(find, () => replace)
  }
  return text
}

/** From now on a file of the machine whose address ends on `?mutant=N` has that mutant in it, and so has all that it imports there. */
export function plantByAddress(): void {
  const numberIn = (url: string | undefined): string | undefined => /\?mutant=(\d+)$/.exec(url ?? "")?.[1]
  registerHooks({
    resolve: (specifier, context, next) => {
      const number = numberIn(context.parentURL)
      const found = next(specifier, context)
      const isOwn = number !== undefined && found.url.startsWith(folder.href)
      return isOwn ? { ...found, url: `${found.url}?mutant=${number}` } : found
    },
    load: (url, context, next) => {
      const mutant = protocolMutants[Number(numberIn(url) ?? -1)]
      if (mutant === undefined || !url.startsWith(folder.href)) return next(url, context)
      const file = url.slice(folder.href.length, url.indexOf(".ts"))
      return { format: "module-typescript", source: planted(mutant, file), shortCircuit: true }
    }
  })
}
