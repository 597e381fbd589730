import type { Mutant } from "./Mutant.ts"

const foundBy = "publish/several.test.ts"
const earlier = "publish/EarlierPlaces.test.ts"

/** Planted where a leg has several fallbacks. */
export const severalMutants: ReadonlyArray<Mutant> = [
  {
    name: "what a later fallback holds is sent on before what an earlier one does",
    file: "publish/fallback/Redrive.ts",
    find: `      yield* this.#home.earlier(this.#place, partition)
`,
    replace: ``,
    foundBy,
    test: "is away, and has all sent on in order"
  },
  {
    name: "what a later fallback holds waits for all that is stored in an earlier one meanwhile",
    file: "publish/fallback/EarlierPlaces.ts",
    find: `end ??= row.end`,
    replace: `end = row.end`,
    foundBy: earlier,
    test: "what is stored later is not"
  },
  {
    name: "a question to an earlier fallback that was asked before is an answer too",
    file: "publish/fallback/EarlierPlaces.ts",
    find: `if (this.#begun > asked) return`,
    replace: `if (this.#begun >= asked && asked > 0) return`,
    foundBy: earlier,
    test: "which was begun after each of them asked"
  },
  {
    name: "a broker that says once that an earlier fallback ends earlier is believed",
    file: "publish/fallback/EarlierPlaces.ts",
    find: `if (row.end < end && shorter !== undefined && row.end <= shorter) end`,
    replace: `if (row.end < end) end`,
    foundBy: earlier,
    test: "believed when it is said twice"
  },
  {
    name: "an earlier fallback that was made anew is waited for without an end",
    file: "publish/fallback/EarlierPlaces.ts",
    find: `shorter = row.end < end ? row.end : undefined`,
    replace: ``,
    foundBy: earlier,
    test: "believed when it is said twice"
  },
  {
    name: "an earlier fallback that gives no answer holds nothing",
    file: "publish/fallback/EarlierPlaces.ts",
    find: `          this.#waiting.stands(partition, silentMs, sentence)`,
    replace: `          return this.#waiting.stands(partition, silentMs, sentence)`,
    foundBy,
    test: "while an earlier one does not say how far"
  },
  {
    name: "a partition whose fallback takes nothing goes to the first one, before what waits in the last",
    file: "publish/fallback/Fallback.ts",
    find: `return last === -1 ? at : last`,
    replace: `return 0`,
    foundBy,
    test: "stays in the last place while that holds something"
  },
  {
    name: "a partition waits in the last fallback although all that waits is in an earlier one",
    file: "publish/fallback/Fallback.ts",
    find: `return last === -1 ? at : last`,
    replace: `return at`,
    foundBy,
    test: "returns to an earlier place"
  },
  {
    name: "a partition stays in the last of the fallbacks that are read",
    file: "publish/fallback/Fallback.ts",
    find: `if (this.back === "stay") return 0`,
    replace: ``,
    foundBy,
    test: "begins anew behind the last"
  },
  {
    name: "a partition goes back to its cluster although an earlier fallback holds something",
    file: "publish/fallback/Fallback.ts",
    find: `this.there.reduce((total, { left }) => total + left, 0)`,
    replace: `this.there[this.at ?? 0]?.left ?? 0`,
    foundBy,
    test: "is not left while an earlier place holds something"
  },
  {
    name: "a process begins in the first fallback that holds something",
    file: "publish/fallback/Fallback.ts",
    find: `if (!there.isEmpty) part.at = index`,
    replace: `if (!there.isEmpty) part.at ??= index`,
    foundBy,
    test: "begins in the last place that holds something"
  },
  {
    name: "what one fallback does not know waits for a fence of the next one",
    file: "publish/WritePartition.ts",
    find: `if (isTurned || (this.isSpilling && !isOfSpill)) lane.clearDoubt()`,
    replace: `if (this.isSpilling && !isOfSpill) lane.clearDoubt()`,
    foundBy,
    test: "which need not be fenced for that"
  },
  {
    name: "what one fallback does not know is in doubt for ever where the next one cannot fence",
    file: "publish/WritePartition.ts",
    find: `(!isTurned && !(isOfSpill`,
    replace: `(!(isOfSpill`,
    foundBy,
    test: "which cannot fence"
  },
  {
    name: "a fallback that cannot fence is fenced",
    file: "publish/fallback/SinkFallback.ts",
    find: `return this.#fallback.placeOf(partition)?.transport.capabilities.fencing !== "none"`,
    replace: `return this.#fallback.places[0].transport.capabilities.fencing !== "none" || partition < 0`,
    foundBy,
    test: "and none that cannot"
  },
  {
    name: "what stood because a fallback refuses it stands when its partition goes on to the next one",
    file: "publish/fallback/SinkFallback.ts",
    find: `    this.#resumeRefused(partition)
    this.#turnThere(partition)`,
    replace: `    this.#turnThere(partition)`,
    foundBy,
    test: "goes on with what one place refuses"
  },
  {
    name: "a record is taken that the last of the fallbacks never takes",
    file: "publish/Sink.ts",
    find: `(fallback ?? [])`,
    replace: `(fallback?.slice(0, 1) ?? [])`,
    foundBy,
    test: "takes no record that one of its places does not"
  },
  {
    name: "of what stays in several fallbacks one is read",
    file: "consume/ReadPlace.ts",
    find: `return [sides, ...fallbacks]`,
    replace: `return [sides, ...fallbacks.slice(0, 1)]`,
    foundBy,
    test: "is read in all of them"
  },
  {
    name: "of the dead letters beside topics of one name those of one cluster are counted",
    file: "audit/auditPlaces.ts",
    find: `of read.flat())`,
    replace: `of new Map(read.flat().map((one) => [one.name, one])).values())`,
    foundBy: "audit/fallbacks.test.ts",
    test: "the dead letters that a group has beside each"
  },
  {
    name: "a fallback that gives no answer is waited for without an end",
    file: "publish/fallback/askedBounds.ts",
    find: `duration: answerMs, orElse`,
    replace: `duration: "1 day", orElse`,
    foundBy: earlier,
    test: "is asked for again where no answer comes"
  },
  {
    name: "a cluster may be named twice as a fallback",
    file: "routes/fallbackFaults.ts",
    find: `places.slice(0, order).find(`,
    replace: `places.slice(0, 0).find(`,
    foundBy: "routes/fallbackFaults.test.ts",
    test: "of several: twice"
  },
  {
    name: "what falls back is sent on from one place and stays in another",
    file: "routes/fallbackFaults.ts",
    find: `.size < 2) return []`,
    replace: `.size < 3) return []`,
    foundBy: "routes/fallbackFaults.test.ts",
    test: "of several: mixed"
  }
]
