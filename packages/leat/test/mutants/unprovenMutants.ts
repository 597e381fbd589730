import type { Mutant } from "./Mutant.ts"

const foundBy = "moves/controlAway.test.ts"
const [settled, moved, carried] = ["settled when that can be read", "where that has left", "was, and what is published"]

/** Bugs in what is settled of what an earlier process has left, and when. */
export const unprovenMutants: ReadonlyArray<Mutant> = [
  {
    name: "what an earlier process has left is settled at once where it was sent",
    file: "publish/spill/SpillLanes.ts",
    find: `const to = this.#settleable(partition, position)`,
    replace: `const to = position`,
    foundBy,
    test: "where this one is killed"
  },
  {
    name: "closing settles what may not count",
    file: "publish/spill/SpillLanes.ts",
    find: `this.#settles.last(partition, this.#settleable(partition, position))`,
    replace: `this.#settles.last(partition, position)`,
    foundBy,
    test: "where this one closes"
  },
  {
    name: "what was read and is not settled is not read again",
    file: "publish/spill/SpillLanes.ts",
    find: `Effect.uninterruptible(Effect.suspend(() => this.#joinAnew))`,
    replace: `Effect.void`,
    foundBy,
    test: moved
  },
  {
    name: "what does not count where it is stays there",
    file: "publish/spill/proving.ts",
    find: `part.unproven.isLost = true
        return`,
    replace: `return`,
    foundBy,
    test: moved
  },
  {
    name: "what is settled later waits for ever",
    file: "publish/spill/proving.ts",
    find: `Effect.raceFirst(changes.until(isKnown), looked)`,
    replace: `changes.until(isKnown)`,
    foundBy,
    test: settled
  },
  {
    name: "it is told again and again that the control stream is away",
    file: "publish/spill/proving.ts",
    find: `spill.isUnprovenTold = true`,
    replace: ``,
    foundBy,
    test: settled
  },
  {
    name: "what is published stands while what an earlier process has left is not known to count",
    file: "publish/spill/SpillParting.ts",
    find: `return Effect.as(this.#sendOn.send(sent, records), true)
      })`,
    replace: `return Effect.andThen(this.#sendOn.send(sent, records), Effect.as(departures.looked, true))
      })`,
    foundBy,
    test: settled
  },
  {
    name: "it is not noted what an earlier process has left when it is sent",
    file: "publish/spill/SpillParting.ts",
    find: `notProven(part, records, departures.leftIn(records, this.#sink()))`,
    replace: ``,
    foundBy,
    test: moved
  },
  {
    name: "it is not noted what an earlier process has left when it is carried out of a spill that is open",
    file: "publish/spill/SpillParting.ts",
    find: `if (some.some((record) => !isOwn(record))) notProven(`,
    replace: `if (some.length === 0) notProven(`,
    foundBy,
    test: "which had the place open"
  },
  {
    name: "it is not noted what an earlier process has left when it is carried",
    file: "moves/orphanSpill.ts",
    find: `if (records.some((record) => !isOwn(record))) notProven(`,
    replace: `if (records.length === 0) notProven(`,
    foundBy,
    test: carried
  },
  {
    name: "what a process has published itself is sent again with what it was left",
    file: "publish/spill/SpillParting.ts",
    find: `record.position < part.ownEnd && departures.isOwn(record)`,
    replace: `false`,
    foundBy,
    test: moved
  },
  {
    name: "what is to be looked at anew is not counted among what a spill holds",
    file: "publish/spill/Spill.ts",
    find: `return isLost && from < at ? from : at`,
    replace: `return at`,
    foundBy,
    test: moved
  },
  {
    name: "what is on its way counts with what was stored before",
    file: "publish/spill/Unproven.ts",
    find: `if (before >= this.#to) return this.clear()`,
    replace: `return this.clear()`,
    foundBy: "publish/Unproven.test.ts",
    test: "not what is on its way meanwhile"
  },
  {
    name: "what was sent nowhere holds up what is settled",
    file: "publish/spill/Unproven.ts",
    find: `if (at <= this.#from) this.clear()`,
    replace: ``,
    foundBy: "publish/Unproven.test.ts",
    test: "holds up nothing"
  },
  {
    name: "what waits takes room for each record",
    file: "publish/spill/Unproven.ts",
    find: `if (!this.#asked.some((other) => isSame(one, other))) this`,
    replace: `this`,
    foundBy: "publish/Unproven.test.ts",
    test: "takes no more room"
  },
  {
    name: "what is not known to count is carried with each look",
    file: "moves/SpillCarrier.ts",
    find: `return [this.#home.carried, ...this.#unproven].some((some) => some.hasCarried(record))`,
    replace: `return this.#home.carried.hasCarried(record)`,
    foundBy,
    test: carried
  },
  {
    name: "what is not known to count is not carried on",
    file: "moves/SpillCarrier.ts",
    find: `this.#unproven.at(-1)?.add(id)`,
    replace: `carried.add(id)`,
    foundBy,
    test: carried
  },
  {
    name: "what an earlier process has left is counted once for each look",
    file: "moves/CarriedRecords.ts",
    find: `if (this.#add(key, seq)) count++`,
    replace: `if (!this.#add(key, seq)) count++`,
    foundBy,
    test: carried
  },
  {
    name: "what was stored before a process said that it had drained is carried all the same",
    file: "moves/Departed.ts",
    find: `return found?.drained.has(member) === true && !found.over.has(member)`,
    replace: `return found === undefined`,
    foundBy: "moves/Departed.test.ts",
    test: "counts once its process"
  },
  {
    name: "a stream that can be read is not, while nothing can be written there",
    file: "control/ControlStream.ts",
    find: `return this.#trouble === undefined
`,
    replace: `return this.trouble === undefined
`,
    foundBy,
    test: "nothing can be written there"
  },
  {
    name: "a stream waits for the control stream without a word",
    file: "moves/GatedByControl.ts",
    find: `const isWaiting = trouble !== undefined && `,
    replace: `const isWaiting = trouble === "" && `,
    foundBy,
    test: "says that it waits for that"
  },
  {
    name: "that a stream waited for the control stream is shown for ever",
    file: "moves/GatedByControl.ts",
    find: `if (this.#shown !== undefined) this.#shown.trouble = undefined`,
    replace: ``,
    foundBy,
    test: "says that it waits for that"
  },
  {
    name: "who waits for what is stored is forgotten where something before it was not",
    file: "publish/spill/Unproven.ts",
    find: `if (Deferred.isDoneUnsafe(this.#come)) this.#come`,
    replace: `this.#come`,
    foundBy: "publish/Unproven.test.ts",
    test: "wakes who waits"
  }
]
