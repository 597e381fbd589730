import type { Mutant } from "./Mutant.ts"

const line = "consume/EpochLine.test.ts"
const stories = "consume/movedReads.test.ts"
const worlds = "consume/movedWorlds.test.ts"
const stored = "consume/storedRanges.test.ts"
const gaps = "consume/storedGaps.test.ts"
const lives = "handles all of each epoch in order, nothing else, and leaves nothing open"

/** Bugs of the reading of a stream that is moved: what is given where, when the next place begins, and when an old one is left. */
export const movedReadMutants: ReadonlyArray<Mutant> = [
  {
    name: "what was sent again elsewhere is read where it lies late, too",
    file: "consume/StoredEvents.ts",
    find: `if (firstEpoch !== undefined && !isOfEpoch(this.#range.epoch, firstEpoch, meta?.epoch)) return`,
    replace: ``,
    foundBy: stories,
    test: "what other epochs have in a range"
  },
  {
    name: "what is stored of an epoch is told without its end",
    file: "consume/storedRanges.ts",
    find: `last === undefined || row.end < BigInt(last) ? row.end : BigInt(last)`,
    replace: `row.end`,
    foundBy: worlds,
    test: lives
  },
  {
    name: "what is stored of an epoch is told without its begin",
    file: "consume/storedRanges.ts",
    find: `latest(row.start, BigInt(first))`,
    replace: `row.start`,
    foundBy: worlds,
    test: lives
  },
  {
    name: "what lay in a place before the first move, of an epoch before, is not read",
    file: "record/isOfEpoch.ts",
    find: `said === epoch || (epoch === firstEpoch && said < firstEpoch)`,
    replace: `said === epoch`,
    foundBy: worlds,
    test: lives
  },
  {
    name: "a range is read in the cluster in which the stream was opened",
    file: "consume/storedRanges.ts",
    find: `if (whereabouts !== undefined) return Stream.unwrap`,
    replace: `if (whereabouts !== undefined && cluster !== leg.cluster) return Stream.unwrap`,
    foundBy: "moves/readAfterMove.test.ts",
    test: "is read whole by who was there before"
  },
  {
    name: "a group reads the fallbacks that the stream was opened with, and no others",
    file: "moves/Moves.ts",
    find: `new Set(this.#past.of(stream).flatMap(stayedIn))`,
    replace: `new Set<string>()`,
    foundBy: "moves/stayedFallbacks.test.ts",
    test: "is handled at the new place by groups"
  },
  {
    name: "a place is left while a fallback of it is being opened",
    file: "consume/ReadPlace.ts",
    find: `if (!isOpening && left.every(Boolean)) return`,
    replace: `if (left.every(Boolean)) return`,
    foundBy: "moves/stayedFallbacks.test.ts",
    test: "is handled at the old place by a group"
  },
  {
    name: "a fallback that was found later is not read",
    file: "consume/ReadPlace.ts",
    find: `      reading.fallbacks.push(`,
    replace: `      void (`,
    foundBy: "moves/stayedFallbacks.test.ts",
    test: "is handled at the new place by groups"
  },
  {
    name: "the state of a stream is read with what is retired of it",
    file: "consume/storedRanges.ts",
    find: `isCompacted ? known.filter(({ phase }) => phase !== "retired") : known`,
    replace: `known`,
    foundBy: "moves/readAfterMove.test.ts",
    test: "begins, as a state, with what was published since"
  },
  {
    name: "what is stored cannot be told any more once a place that was left has lost its cluster",
    file: "consume/storedRanges.ts",
    find: `if (!isLeft) return asked`,
    replace: `return asked`,
    foundBy: stories,
    test: "a retired place whose cluster is gone"
  },
  {
    name: "what is stored leaves a place out whose cluster is gone and that is not retired",
    file: "consume/storedRanges.ts",
    find: `if (!isLeft) return asked`,
    replace: ``,
    foundBy: stories,
    test: "a retired place whose cluster is gone"
  },
  {
    name: "what cannot be read is passed over in what is stored",
    file: "consume/StoredEvents.ts",
    find: `else if ("tag" in event.failure)`,
    replace: `else if ("none" in event.failure && "tag" in event.failure)`,
    foundBy: stored,
    test: "what cannot be read"
  },
  {
    name: "who asks for the next one before the last has come is told that there is none",
    file: "promise/oneByOne.ts",
    find: `last.then(() => iterator.next())`,
    replace: `iterator.next()`,
    foundBy: stored,
    test: "several at once"
  },
  {
    name: "who leaves waits until the one that was asked for has come",
    file: "promise/oneByOne.ts",
    find: `return: () => iterator.return?.() ??`,
    replace: `return: () => last.then(() => iterator.return?.()) as never ??`,
    foundBy: "promise/oneByOne.test.ts",
    test: "ends all who wait"
  },
  {
    name: "who reads without a group is not told of what is gone behind the last record",
    file: "consume/StoredEvents.ts",
    find: `    this.#passOver(batch.next, batch.gap, found)
`,
    replace: ``,
    foundBy: gaps,
    test: "is told what does not verify"
  },
  {
    name: "who reads without a group is told of what is gone behind his range",
    file: "consume/StoredEvents.ts",
    find: `position < this.#range.to ? position : this.#range.to`,
    replace: `position`,
    foundBy: gaps,
    test: "up to behind the range"
  },
  {
    name: "who reads without a group is told of records that are gone between others as of none",
    file: "consume/StoredEvents.ts",
    find: `if (index === 0 || records.contiguousFrom === undefined)`,
    replace: `if (index === 0)`,
    foundBy: gaps,
    test: "in the middle"
  },
  {
    name: "who reads without a group is told of what compaction has superseded as lost",
    file: "consume/StoredEvents.ts",
    find: `if (reason === "expired" || reason === "corrupt") found.push(this.#missing({ reason, from, to }))`,
    replace: `if (reason !== undefined) found.push(this.#missing({ reason: reason as "expired", from, to }))`,
    foundBy: gaps,
    test: "is told nothing of what compaction has superseded"
  },
  {
    name: "a record behind the end of its epoch is given",
    file: "consume/EpochLine.ts",
    find: `if (position >= end) stop`,
    replace: `if (position > end) stop`,
    foundBy: line,
    test: "is cut at the end of the epoch"
  },
  {
    name: "what is left out of a batch keeps the position of its group back",
    file: "consume/EpochLine.ts",
    find: `partOf(batch, kept, batch.next)`,
    replace: `partOf(batch, kept, records.position(kept.at(-1) ?? 0) + 1n)`,
    foundBy: line,
    test: "leaves out what is of an older epoch"
  },
  {
    name: "the epoch of another stream counts for this one",
    file: "consume/EpochLine.ts",
    find: `isMarker || isOtherStream === true ? undefined : epoch`,
    replace: `isMarker ? undefined : epoch`,
    foundBy: line,
    test: "is given as it came"
  },
  {
    name: "the sequence of a record is read as its epoch",
    file: "record/CompactHeader.ts",
    find: `for (let field = 0; field < 2; field++) while`,
    replace: `for (let field = 0; field < 1; field++) while`,
    foundBy: line,
    test: "knows the epoch of a record in the compact wire"
  },
  {
    name: "what was written before anybody moved the stream is of no epoch",
    file: "consume/EpochLine.ts",
    find: `(epoch < firstEpoch && readable.epoch === firstEpoch)`,
    replace: `epoch < 0`,
    foundBy: line,
    test: "gives what is older than the first epoch"
  },
  {
    name: "the rest of a batch is looked at from its begin",
    file: "consume/EpochLine.ts",
    find: `    this.#index = index
`,
    replace: `    this.#index = 0 * index
`,
    foundBy: line,
    test: "stands before a record of a newer epoch"
  },
  {
    name: "a place is passed when its records are handed out",
    file: "consume/epochLane.ts",
    find: `            standsSinceMs = undefined
`,
    replace: `            standsSinceMs = undefined
            positions.settled({ topic: epochs.topic, partition }, Number(given.next))
`,
    foundBy: worlds,
    test: "handles all of each epoch in order"
  },
  {
    name: "what is pulled while a stream is placed is given as it comes",
    file: "consume/epochLane.ts",
    find: `        if (epochs.placement === undefined) {
          line.passed`,
    replace: `        if (epochs.placement?.step !== -1) {
          line.passed`,
    foundBy: stories,
    test: "gives nothing behind an end that was told"
  },
  {
    name: "a lane does not say where it begins",
    file: "consume/epochLane.ts",
    find: `  positions.begun(at, Number(start))`,
    replace: `  positions.begun(at, Number(start) * 0)`,
    foundBy: stories,
    test: "begins, where its group is new"
  },
  {
    name: "nobody asks how far the group is in another place",
    file: "consume/PlaceEpochs.ts",
    find: `      return this.positions.of(last)`,
    replace: `      return this.positions.of(last) + Number.MAX_SAFE_INTEGER`,
    foundBy: worlds,
    test: "handles all of each epoch in order"
  },
  {
    name: "a lane does not say because of what it stands",
    file: "consume/PlaceEpochs.ts",
    find: `waitsFor: shortOf(placement, last, this.positions)`,
    replace: `waitsFor: shortOf(placement, undefined ?? { topic: "", partition: last?.partition ?? 0 }, this.positions)`,
    foundBy: stories,
    test: "goes on in the new place within half a second"
  },
  {
    name: "what is settled in one place counts for another",
    file: "consume/SettledPositions.ts",
    find: `    return this.#known.get(topic)?.settled[partition] ?? 0`,
    replace: `    return Math.max(...Array.from(this.#known.values(), ({ settled }) => settled[partition] ?? 0), topic.length * 0)`,
    foundBy: worlds,
    test: "handles all of each epoch in order"
  },
  {
    name: "lanes that stand do not hear of what is settled",
    file: "consume/SettledPositions.ts",
    find: `settled >= waitsFor.until`,
    replace: `settled > waitsFor.until`,
    foundBy: stories,
    test: "goes on in the new place within half a second"
  },
  {
    name: "a transport is asked of the lanes that are held here, and of no others",
    file: "consume/SettledPositions.ts",
    find: `held.has(waitsFor.partition) !== true`,
    replace: `held.has(waitsFor.partition) === true`,
    foundBy: stories,
    test: "asks how far the group is"
  },
  {
    name: "what lies behind the end of an epoch is lag",
    file: "consume/rangesLeft.ts",
    find: `sealed === undefined || stored < sealed ? stored`,
    replace: `sealed === undefined || stored > 0n ? stored`,
    foundBy: stories,
    test: "goes on with the others when its first place is retired"
  },
  {
    name: "a place that is retired is read on",
    file: "consume/ReadPlace.ts",
    find: `if (source !== undefined) yield* Fiber.interrupt(source)`,
    replace: `if (source !== undefined) void Fiber.interrupt(source)`,
    foundBy: stories,
    test: "tries again in a place that it has left"
  },
  {
    name: "a group that has left a place keeps it for its stream",
    file: "consume/ReadPlace.ts",
    find: `          source = undefined
          this.leave()`,
    replace: `          source = undefined`,
    foundBy: stories,
    test: "tries again in a place that it has left"
  },
  {
    name: "what waits in the retry topics of a place is forgotten with it",
    file: "consume/ReadPlace.ts",
    find: `const left = yield* Effect.forEach(besidesOf(reading), ({ isEmpty }) => isEmpty)`,
    replace: `const left = besidesOf(reading).map(() => true)`,
    foundBy: stories,
    test: "tries again in a place that it has left"
  },
  {
    name: "what fell back is looked for under the name of the first place",
    file: "consume/FallbackTopics.ts",
    find: `fallbackPartitions(name, place) !== undefined`,
    replace: `fallbackPartitions(name, { cluster: "one", topic: "a" }) !== undefined`,
    foundBy: stories,
    test: "reads what fell back from each place"
  },
  {
    name: "what ends one place ends the others",
    file: "consume/ReadPlace.ts",
    find: `if (!hasOthers()) {`,
    replace: `if (hasOthers()) {`,
    foundBy: stories,
    test: "goes on in a place while another refuses it"
  },
  {
    name: "what ends the only place is tried again for ever",
    file: "consume/ReadPlace.ts",
    find: `if (!hasOthers()) {`,
    replace: `if (!hasOthers() && this.#isWanted === undefined) {`,
    foundBy: stories,
    test: "ends by what ends its only place"
  },
  {
    name: "a record that cannot be read stops its place",
    file: "consume/EpochLine.ts",
    find: `      // What cannot be read is given: whoever handles it halts there, and says why.
      return undefined`,
    replace: `      return Number.MAX_SAFE_INTEGER`,
    foundBy: line,
    test: "gives what a driver gives against its type"
  },
  {
    name: "a transport is asked as fast as it answers",
    file: "consume/ReadPlace.ts",
    find: `Math.min(this.#askDelayMs * 2, askEveryMsMax)`,
    replace: `1`,
    foundBy: stories,
    test: "asks how far the group is"
  },
  {
    name: "lanes settle the end of an epoch in their own time",
    file: "consume/Source.ts",
    find: `if (end !== undefined) this.#latest.get(partition)?.settleAt(BigInt(end))`,
    replace: `void end`,
    foundBy: stories,
    test: "goes on in the new place within half a second"
  },
  {
    name: "a new place is joined at its end",
    file: "consume/ReadPlaces.ts",
    find: `Effect.succeed("earliest")`,
    replace: `Effect.succeed("latest")`,
    foundBy: stories,
    test: "goes on in the place that it reads while the next one cannot be opened"
  },
  {
    name: "what waits in a place that is retired is not looked for by who begins later",
    file: "consume/ReadPlaces.ts",
    find: `    for (const [topic, { place, isRead }] of this.#wanted) {
      const from`,
    replace: `    for (const [topic, { place, isRead }] of this.#wanted) {
      if (!isRead) this.#left.add(topic)
      if (!isRead) continue
      const from`,
    foundBy: stories,
    test: "handles what waits in a retired place"
  },
  {
    name: "a group that has passed an earlier epoch is new in a later one",
    file: "consume/groupBegin.ts",
    find: `(index > 0 && isOld)`,
    replace: `(index < 0 && isOld)`,
    foundBy: stories,
    test: "also when that is retired: true"
  },
  {
    name: "a group that reads an earlier epoch is new in a later one",
    file: "consume/groupBegin.ts",
    find: `if (yield* hasSettled(place, group, whereabouts)) return "earliest"`,
    replace: `if (yield* hasSettled(place, group, undefined)) return "earliest"`,
    foundBy: stories,
    test: "also when that is retired: false"
  },
  {
    name: "a position is one of every place",
    file: "consume/groupBegin.ts",
    find: `isElsewhere === true ? "latest" : from`,
    replace: `isElsewhere === null ? "latest" : from`,
    foundBy: stories,
    test: "begins, where its group is new"
  },
  {
    name: "a place is left while it is not known what waits there",
    file: "consume/SideTopic.ts",
    find: `Effect.map(this.waiting, (records) => records === 0)`,
    replace: `Effect.map(this.waiting, (records) => records !== -1)`,
    foundBy: stories,
    test: "tries again in a place that it has left"
  }
]
