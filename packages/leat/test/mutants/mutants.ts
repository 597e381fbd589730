import { auditMutants } from "./auditMutants.ts"
import { batchMutants } from "./batchMutants.ts"
import { breakerMutants } from "./breakerMutants.ts"
import { bufferMutants } from "./bufferMutants.ts"
import { canaryMutants } from "./canaryMutants.ts"
import { catchingUpMutants } from "./catchingUpMutants.ts"
import { consumeMutants } from "./consumeMutants.ts"
import { controlMutants } from "./controlMutants.ts"
import { deadLetterMutants } from "./deadLetterMutants.ts"
import { idleMutants } from "./idleMutants.ts"
import { doorMutants } from "./doorMutants.ts"
import { inboxMutants } from "./inboxMutants.ts"
import { laneEndMutants } from "./laneEndMutants.ts"
import { laneMutants } from "./laneMutants.ts"
import { lastAttemptMutants } from "./lastAttemptMutants.ts"
import { lossMutants } from "./lossMutants.ts"
import { movedReadMutants } from "./movedReadMutants.ts"
import { metricsMutants } from "./metricsMutants.ts"
import { movesMutants } from "./movesMutants.ts"
import { leftSpillMutants } from "./leftSpillMutants.ts"
import { olderSpillMutants } from "./olderSpillMutants.ts"
import { placedWriterMutants } from "./placedWriterMutants.ts"
import type { Mutant } from "./Mutant.ts"
import { replayMutants } from "./replayMutants.ts"
import { letterWorldMutants } from "./letterWorldMutants.ts"
import { publishMutants } from "./publishMutants.ts"
import { pumpMutants } from "./pumpMutants.ts"
import { retryTopicMutants } from "./retryTopicMutants.ts"
import { retryWorldMutants } from "./retryWorldMutants.ts"
import { recordMutants } from "./recordMutants.ts"
import { retryMutants } from "./retryMutants.ts"
import { routesMutants } from "./routesMutants.ts"
import { gateMutants } from "./gateMutants.ts"
import { moveMutants } from "./moveMutants.ts"
import { heldLegsMutants } from "./heldLegsMutants.ts"
import { switchableMutants } from "./switchableMutants.ts"
import { severalMutants } from "./severalMutants.ts"
import { sinkMutants } from "./sinkMutants.ts"
import { tableMutants } from "./tableMutants.ts"
import { transportMutants } from "./transportMutants.ts"
import { fallbackMutants } from "./fallbackMutants.ts"
import { fallbackRedriveMutants } from "./fallbackRedriveMutants.ts"
import { fallbackReturnMutants } from "./fallbackReturnMutants.ts"
import { besideSpillMutants } from "./besideSpillMutants.ts"
import { sendOnMutants } from "./sendOnMutants.ts"
import { spillBookMutants } from "./spillBookMutants.ts"
import { spillDrainMutants } from "./spillDrainMutants.ts"
import { fallbackWorldMutants } from "./fallbackWorldMutants.ts"
import { spillMutants } from "./spillMutants.ts"
import { spillNoticeMutants } from "./spillNoticeMutants.ts"
import { spillRefusalMutants } from "./spillRefusalMutants.ts"
import { spillTurnMutants } from "./spillTurnMutants.ts"
import { spillWorldMutants } from "./spillWorldMutants.ts"
import { undeliveredMutants } from "./undeliveredMutants.ts"
import { undeliveredWorldMutants } from "./undeliveredWorldMutants.ts"
import { unprovenMutants } from "./unprovenMutants.ts"

export const mutants: ReadonlyArray<Mutant> = [
  ...tableMutants,
  ...controlMutants,
  ...movesMutants,
  ...leftSpillMutants,
  ...olderSpillMutants,
  ...placedWriterMutants,
  ...publishMutants,
  ...pumpMutants,
  ...laneMutants,
  ...heldLegsMutants,
  ...canaryMutants,
  ...gateMutants,
  ...moveMutants,
  ...switchableMutants,
  ...sinkMutants,
  ...lastAttemptMutants,
  ...bufferMutants,
  ...fallbackMutants,
  ...fallbackReturnMutants,
  ...fallbackRedriveMutants,
  ...spillMutants,
  ...spillBookMutants,
  ...spillDrainMutants,
  ...spillTurnMutants,
  ...sendOnMutants,
  ...besideSpillMutants,
  ...spillRefusalMutants,
  ...spillNoticeMutants,
  ...spillWorldMutants,
  ...fallbackWorldMutants,
  ...severalMutants,
  ...retryMutants,
  ...breakerMutants,
  ...undeliveredMutants,
  ...undeliveredWorldMutants,
  ...unprovenMutants,
  ...consumeMutants,
  ...catchingUpMutants,
  ...movedReadMutants,
  ...deadLetterMutants,
  ...letterWorldMutants,
  ...replayMutants,
  ...retryTopicMutants,
  ...retryWorldMutants,
  ...batchMutants,
  ...laneEndMutants,
  ...idleMutants,
  ...doorMutants,
  ...inboxMutants,
  ...recordMutants,
  ...routesMutants,
  ...auditMutants,
  ...lossMutants,
  ...metricsMutants,
  {
    name: "a record that failed is told stored",
    file: "publish/WriteLane.ts",
    find: `only?.fate === "stored"`,
    replace: `only !== undefined && only.fate !== "unknown"`
  },
  {
    name: "an unknown outcome is told stored",
    file: "publish/WriteLane.ts",
    find: `only?.fate === "stored"`,
    replace: `only !== undefined && only.fate !== "notStored"`
  },
  {
    name: "nothing is fenced after an unknown outcome",
    file: "publish/WritePartition.ts",
    find: `if (fate !== "unknown" || (!isTurned && !(isOfSpill ? (fallback?.canFence(this) ?? true) : canFence))) continue`,
    replace: `if (fate !== "stored") continue`
  },
  {
    name: "what failed is tried again behind what came later",
    file: "publish/WriteLane.ts",
    find: `queued.spans?.splice(at, 1, ...left)
    this.#removeEnded(queued)`,
    replace: `queued.spans?.splice(at, 1, ...left)
    const first = left.length > 0 && this.#queue.length > 1 ? this.#queue.shift() : undefined
    if (first !== undefined) this.#queue.push(first)
    this.#removeEnded(queued)`
  },
  {
    name: "a dropped record is not counted",
    file: "publish/WriteLane.ts",
    find: `this.#end(batch, span, from, ending, reason)`,
    replace: `if (ending !== "dropped") this.#end(batch, span, from, ending, reason)`
  },
  {
    name: "an event carries the sequence of the next one",
    file: "publish/Publisher.ts",
    find: `batch.place(bucket, seq, this`,
    replace: `batch.place(bucket, seq + 1, this`
  },
  {
    name: "a record's header carries the sequence of the next one",
    file: "record/WireWriter.ts",
    find: `end = writeVarint(arena, end, batch.seq[count] ?? 0)`,
    replace: `end = writeVarint(arena, end, (batch.seq[count] ?? 0) + 1)`
  },
  {
    name: "closing forgets what is queued",
    file: "publish/Sink.ts",
    find: `if (lane.isEmpty && !this.#mark(lane)) this.#gone(lane)
        else this.ready(lane)`,
    replace: `this.#gone(lane)`
  },
  {
    name: "a retry begins one record too late",
    file: "publish/WriteLane.ts",
    find: `queued.spans?.splice(at, 1, ...left)`,
    replace: `queued.spans?.splice(at, 1, ...left.map((one) => ({ ...one, from: Math.min(one.from + 1, one.to - 1) })))`
  },
  {
    name: "the watermark passes a parked record",
    file: "consume/ReadLane.ts",
    find: `while (first?.ended !== undefined) {`,
    replace: `while (first !== undefined && (first.ended !== undefined || first.state === "parked")) {`
  },
  {
    name: "the watermark passes a running record",
    file: "consume/ReadLane.ts",
    find: `return this.#held[this.#head]?.position ?? this.#end`,
    replace: `return this.#head < this.#held.length ? (this.#held[this.#head]?.position ?? 0n) + 1n : this.#end`
  },
  {
    name: "a failing key does not hold back its later records",
    file: "consume/ReadLane.ts",
    find: `    this.#parkedSpan += held.span
    this.#parked.push(held)`,
    replace: `    this.#parkedSpan += held.span
    this.#parked.push(held)
    const waiting = held.following
    if (waiting?.state === "waiting" && held.attempts === 1) this.#ready.push(waiting)`
  },
  {
    name: "a failed record is done",
    file: "consume/ReadLane.ts",
    find: `if ("retryAfterMs" in decision) this.#park(held, nowMs + decision.retryAfterMs)`,
    replace: `if (held.attempts > 0) this.#finish(held, doneEnd)
    else if ("retryAfterMs" in decision) this.#park(held, nowMs + decision.retryAfterMs)`
  },
  {
    name: "the last record of a pulled batch is passed over",
    file: "consume/ReadLane.ts",
    find: `for (let index = 0; index < records.length; index++) {
      const position`,
    replace: `for (let index = 0; index < Math.max(1, records.length - 1); index++) {
      const position`
  },
  {
    name: "what was finished past the watermark is counted twice",
    file: "consume/ReadLane.ts",
    find: `if (ended !== undefined) this.#count(ended, -span)`,
    replace: `if (ended !== undefined) this.#count(ended, 0)`
  },
  {
    name: "settled while handlers run: everything pulled is settled",
    file: "consume/ReadLane.ts",
    find: `if (watermark <= this.#settled) return undefined
    if (!isFinal`,
    replace: `if (this.#end > this.#settled) return this.#end
    if (!isFinal`
  },
  {
    name: "the last record of received columns is passed over",
    file: "consume/ReadLane.ts",
    find: `for (let index = 0; index < records.length; index++) this.#hold(records, index)`,
    replace: `for (let index = 0; index < records.length - 1; index++) this.#hold(records, index)`
  },
  {
    name: "received columns give the key of the record before",
    file: "transport/ReceivedRecords.ts",
    find: `return latin1Slice.call(this.#columns.bytes, this.#keyAt(index), this.#headersAt(index))`,
    replace: `return latin1Slice.call(this.#columns.bytes, this.#keyAt(Math.max(0, index - 1)), this.#headersAt(Math.max(0, index - 1)))`
  },
  {
    name: "the retry that was parked last is forgotten",
    file: "consume/RetryHeap.ts",
    find: `if (last !== undefined && last !== first) this.#sink(last)`,
    replace: `if (last !== undefined && last !== first && this.#items.length > 1) this.#sink(last)`
  },
  {
    name: "the broker keeps views of the arena that it was sent",
    file: "transport/memory/MemoryChunk.ts",
    find: `this.#arena.set(bytes, this.bytes)`,
    replace: `if (this.count === 0) this.#arena = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    else this.#arena.set(bytes, this.bytes)`
  },
  {
    name: "the broker forgets the last record of a batch",
    file: "transport/memory/MemoryPartition.ts",
    find: `chunk.add(batch, from, to, nowMs)`,
    replace: `chunk.add(batch, from, Math.max(from + 1, to - 1), nowMs)`
  },
  {
    name: "a partition changes hands before it is released",
    file: "transport/memory/MemoryGroup.ts",
    find: `held.revoke()`,
    replace: `held.lose()`
  },
  {
    name: "a new holder begins where the last one had read to",
    file: "transport/memory/MemoryGroup.ts",
    find: `if (partition.settled !== undefined) return partition.settled`,
    replace: `if (partition.settled !== undefined) return partition.log.end`
  },
  {
    name: "a member that goes takes what it had not settled with it",
    file: "transport/memory/MemoryGroup.ts",
    find: `if (how === "released") partition.abandoned = 0`,
    replace: `if (how === "released") partition.settled = handedOut`
  },
  {
    name: "a member that leaves is given lanes again",
    file: "transport/memory/MemoryGroup.ts",
    find: `member.isLeaving = true`,
    replace: `member.isLeaving = false`
  },
  {
    name: "now and then two events get one sequence",
    file: "publish/Publisher.ts",
    find: `    this.#sequences.advance(bucket)
    return admitted`,
    replace: `    if (seq % 8 !== 7 || waiter === undefined) this.#sequences.advance(bucket)
    return admitted`
  },
  {
    name: "a rejected event is counted as admitted",
    file: "publish/OfferCount.ts",
    find: `if (admission.admitted) this.#account.admitted++
    else this.#rejected(admission.reason)`,
    replace: `this.#account.admitted++
    if (!admission.admitted) this.#rejected(admission.reason)`
  },
  ...transportMutants,
  {
    name: "the last of several on their way is sent again first",
    file: "publish/WriteLane.ts",
    find: `const queued = queue.at(at)`,
    replace: `const queued = queue.at(queue.length - 1 - at)`
  },
  {
    name: "a lane that is gone takes records",
    file: "publish/LegLanes.ts",
    find: `this.#lanes[partition] = undefined`,
    replace: `void partition`
  },
  {
    name: "what is due later is forgotten",
    file: "publish/Calendar.ts",
    find: `if (one.alarmMs <= time) return`,
    replace: `if (one.alarmMs <= time || this.#days.size > 1) return`
  },
  {
    name: "what stands behind records that stay is carried past them when its stream is joined meanwhile",
    file: "moves/orphanSpill.ts",
    find: ` || some.some((record) => this.#staying.has(taggedOf(record)))`,
    replace: ``,
    foundBy: "moves/sharedSpill.test.ts",
    test: "where a send takes 400 ms"
  }
]
