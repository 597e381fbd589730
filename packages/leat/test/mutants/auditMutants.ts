import type { Mutant } from "./Mutant.ts"

const model = { foundBy: "audit/model.test.ts", test: "finds what was drawn" } as const
const crashLoss = { foundBy: "ledger/crashLoss.test.ts", test: "is never less than what is lost" } as const
const published = "audit/published.test.ts"
const closedInOutage = (test: string) => ({ foundBy: "audit/closedInOutage.test.ts", test }) as const
const takenAway = { foundBy: "audit/takenAway.test.ts", test: "misses as many, or says that nobody can tell" } as const

const named = { foundBy: "audit/closedInOutage.test.ts", test: "whatever it gave up and whatever of that" } as const

const movedTo = (test: string) => ({ foundBy: "audit/movedStreams.test.ts", test }) as const

/** An audit that sees less than there is, or more. */
export const auditMutants: ReadonlyArray<Mutant> = [
  {
    name: "an audit hears of compaction behind the records that show it",
    file: "audit/auditPlaces.ts",
    find: `if (gap !== undefined) audit.gap(index, gap, Number(after - from) - records.length)`,
    replace: `if (gap === "corrupt") audit.gap(index, gap, Number(after - from) - records.length)`,
    foundBy: published,
    test: "counts what compaction has taken away"
  },
  {
    name: "an audit takes drops of before for what is missing since",
    file: "audit/droppedUnsaid.ts",
    find: `Math.min(between, Math.max(0, unannounced - first - unauditable))`,
    replace: `Math.min(between, unannounced - first)`,
    foundBy: published,
    test: "does not take drops of before"
  },
  {
    name: "an audit misses what a closed process gave up after a send without an answer",
    file: "audit/droppedUnsaid.ts",
    find: `Math.min(tail - ofBehind, droppedMayBeStored)`,
    replace: `Math.min(tail - ofBehind, 0)`,
    ...closedInOutage("nobody can tell")
  },
  {
    name: "an audit takes whatever is not there at the end for what a closed process gave up",
    file: "audit/droppedUnsaid.ts",
    find: `Math.min(doubtMax, ended - known - unauditable)`,
    replace: `tail - ofBehind`,
    ...closedInOutage("nobody can tell")
  },
  {
    name: "an audit takes what was given up and announced for what is not there",
    file: "audit/droppedUnsaid.ts",
    find: `droppedMayBeStored - listed - listedAndStored - said.events`,
    replace: `droppedMayBeStored - listed - said.events`,
    ...closedInOutage("whose drops were announced")
  },
  {
    name: "drops in one of several places are taken from what is missing there a second time",
    file: "audit/droppedUnsaid.ts",
    find: `ofTail: isElsewhere ? 0 : ofBehind`,
    replace: `ofTail: ofBehind`,
    ...closedInOutage("in one of several places")
  },
  {
    name: "drops of a closed process are taken for what is missing between records",
    file: "audit/droppedUnsaid.ts",
    find: `const first = isClosed ? Math.min(tailMax, unannounced) : 0`,
    replace: `const first = 0`,
    ...closedInOutage("at the end, between others")
  },
  {
    name: "what was dropped is named as missing",
    file: "audit/SequenceAudit.ts",
    find: `state === "closed" && ofEnds > 0`,
    replace: `state === "closed"`,
    ...closedInOutage("nobody can tell")
  },
  {
    name: "who has a stream open and publishes nothing is a publisher",
    file: "audit/announced.ts",
    find: `own.length === 0 || isIdle(own, sequences)`,
    replace: `own.length === 0`,
    ...closedInOutage("counts who has published")
  },
  {
    name: "an audit takes what is passed over for there",
    file: "audit/BucketAudit.ts",
    find: `this.#missing.add(this.#next, seq, finding)
      this.#next = seq + 1`,
    replace: `this.#next = seq + 1`,
    ...model
  },
  {
    name: "an audit counts a late event as a copy",
    file: "audit/BucketAudit.ts",
    find: `return isBehind ? "late" : "first"`,
    replace: `return "copy"`,
    ...model
  },
  {
    name: "an audit takes the order of partitions for that of events",
    file: "audit/BucketAudit.ts",
    find: `return isBehind ? "late" : "first"`,
    replace: `return "late"`,
    foundBy: "audit/BucketAudit.test.ts",
    test: "of another partition"
  },
  {
    name: "an audit believes that what is announced as dropped is not there",
    file: "audit/BucketAudit.ts",
    find: `return to - from - this.droppedWithin(from, to) - before`,
    replace: `return 0 * before`,
    ...model
  },
  {
    name: "an audit forgets that what it missed is announced later",
    file: "audit/BucketAudit.ts",
    find: `for (const range of this.#missing.take(from, known)) this.#dropped`,
    replace: `for (const range of this.#missing.within(from, known)) this.#dropped`,
    ...model
  },
  {
    name: "an audit loses what is left of a range",
    file: "audit/Ranges.ts",
    find: `if (last !== undefined && last.to > to) left.push`,
    replace: `if (last !== undefined && last.to > to + 1) left.push`,
    ...model
  },
  {
    name: "an audit finds ranges that end before",
    file: "audit/Ranges.ts",
    find: `> seq) high = middle`,
    replace: `>= seq) high = middle`,
    ...model
  },
  {
    name: "an audit misses what retention has taken away",
    file: "audit/SequenceAudit.ts",
    find: `isHoled || (isCutAtStart && !audit.isSeen)`,
    replace: `isHoled`,
    foundBy: published,
    test: "retention"
  },
  {
    name: "an audit takes what is on its way for lost",
    file: "audit/SequenceAudit.ts",
    find: `const isShort = state === "closed" && ofEnds > 0`,
    replace: `const isShort = ofEnds > 0`,
    foundBy: published,
    test: "by its ledger"
  },
  {
    name: "an audit reads the ledger of another cluster",
    file: "audit/announced.ts",
    find: `leg.stream === stream && isSink(leg.sink)`,
    replace: `leg.stream === stream`,
    foundBy: published,
    test: "by its ledger"
  },
  {
    name: "an audit takes streams of two wires for two publishers",
    file: "audit/auditedRecord.ts",
    find: `taggedStream(id.stream)`,
    replace: `id.stream`,
    foundBy: published,
    test: "by its ledger"
  },
  {
    name: "an audit does not know whose drops a marker announces",
    file: "record/CompactHeader.ts",
    find: `formatUuid(header.subarray(markerFields.incarnation, markerFields.tag))`,
    replace: `formatUuid(header.subarray(markerFields.tag))`,
    foundBy: "audit/model.test.ts",
    test: "announces nothing but drops"
  },
  {
    name: "an audit takes a notice that was cut for the whole of it",
    file: "record/DropNotice.ts",
    find: `decoder.decode(bytes).endsWith(noticeMore)`,
    replace: `decoder.decode(bytes) === noticeMore`,
    foundBy: "audit/model.test.ts",
    test: "had no room"
  },
  {
    name: "an audit misses what a lane has forgotten to announce",
    file: "audit/SequenceAudit.ts",
    find: `if (hasForgotten) publication.forgotten.add(partition)
`,
    replace: ``,
    foundBy: published,
    test: "than a lane remembers"
  },
  {
    name: "an audit does not ask the ledger about what no notice lists",
    file: "audit/droppedUnsaid.ts",
    find: `const ofUnlisted = Math.min(shown.unlisted, unsaid)`,
    replace: `const ofUnlisted = Math.min(shown.unlisted, 0)`,
    foundBy: published,
    test: "than a lane remembers"
  },
  {
    name: "an audit counts what a group has settled as waiting",
    file: "audit/auditPlaces.ts",
    find: `position < settled) group.settled++`,
    replace: `position < place.bounds.start) group.settled++`,
    foundBy: published,
    test: "how far a group"
  },
  {
    name: "an audit passes over an option that it does not know",
    file: "audit/checkedAudit.ts",
    find: `if (kind === undefined) return`,
    replace: `if (kind === undefined) continue
    if (name === "") return`,
    foundBy: published,
    test: "refuses"
  },
  {
    name: "an audit misses what waits to be set aside",
    file: "audit/SequenceAudit.ts",
    find: `state === "closed" ? 0 : Math.min(between - ofBetween`,
    replace: `state !== "gone" ? 0 : Math.min(between - ofBetween`,
    foundBy: published,
    test: "waits to be set aside"
  },
  {
    name: "an audit does not read what stays in a fallback",
    file: "audit/auditPlaces.ts",
    find: `for (const transport of fallbacks) {`,
    replace: `for (const transport of [] as typeof fallbacks) {`,
    foundBy: "audit/fallbacks.test.ts",
    test: "finds there what the topic does not have"
  },
  {
    name: "an audit misses what was taken away from a fallback",
    file: "audit/takenFromFallbacks.ts",
    find: `if (!isOfFallback || takenAway === 0) continue`,
    replace: `if (!isOfFallback || takenAway > 0) continue`,
    foundBy: "audit/fallbacks.test.ts",
    test: "cannot tell what is missing"
  },
  {
    name: "a fallback of which something was taken away hides all that is missing",
    file: "audit/takenFromFallbacks.ts",
    find: `const count = Math.min(left, range.to - range.from)`,
    replace: `const count = range.to - range.from`,
    foundBy: "audit/fallbacks.test.ts",
    test: "beyond as many as were taken away"
  },
  {
    name: "the last that is missing is taken for what was taken away from a fallback",
    file: "audit/takenFromFallbacks.ts",
    find: `one.of.timeMs - other.of.timeMs`,
    replace: `other.of.timeMs - one.of.timeMs`,
    foundBy: "audit/fallbacks.test.ts",
    test: "beyond as many as were taken away"
  },
  {
    name: "what is missing may be older than what was taken away from a fallback",
    file: "audit/takenFromFallbacks.ts",
    find: `if (range.of.sinceMs >= beforeMs) continue`,
    replace: ``,
    foundBy: "audit/fallbacks.test.ts",
    test: "names what was published 2 hours after"
  },
  {
    name: "the clocks of those that publish agree",
    file: "audit/takenFromFallbacks.ts",
    find: `const apartMs = 3_600_000`,
    replace: `const apartMs = 0`,
    foundBy: "audit/fallbacks.test.ts",
    test: "names what was published 1 minute after"
  },
  {
    name: "an audit believes that a fallback that was read has what is missing there",
    file: "audit/SequenceAudit.ts",
    find: `this.#isFallbackRead ? 0 : (announced?.fellBack ?? 0)`,
    replace: `announced?.fellBack ?? 0`,
    foundBy: published,
    test: "takes what a fallback has for what is on its way"
  },
  {
    name: "an audit takes the order of a topic and its fallback for one",
    file: "audit/auditPlaces.ts",
    find: `index: index + places.length, isOfFallback: true`,
    replace: `index: bounds.partition, isOfFallback: true`,
    foundBy: "audit/fallbacks.test.ts",
    test: "finds there what the topic does not have"
  },
  {
    name: "an audit since a time misses what stood before it, in a fallback",
    file: "audit/auditPlaces.ts",
    find: `const isFromTime = fromTimeMs !== undefined`,
    replace: `const isFromTime = fromTimeMs !== undefined && !isOfFallback`,
    foundBy: "audit/fallbacks.test.ts",
    test: "misses nothing that stood before the time"
  },
  {
    name: "an audit reads the fallback of as many partitions as there are now",
    file: "audit/auditPlaces.ts",
    find: `new Set([...found, fallbackTopic(`,
    replace: `new Set([...found.slice(0, 0), fallbackTopic(`,
    foundBy: "audit/fallbacks.test.ts",
    test: "reads the fallback of the partitions"
  },
  {
    name: "an event that is on its way is called missing",
    file: "audit/ShadowLedger.ts",
    find: `if ((of.seen[at]?.next ?? 0) <= seq && timeMs >= newestMs) return "onItsWay"`,
    replace: ``,
    foundBy: "audit/shadow.test.ts",
    test: "takes what has nothing newer"
  },
  {
    name: "what was offered before a leg was there is called missing",
    file: "audit/ShadowLedger.ts",
    find: `if (!isBehindFirst && timeMs < facts.firstMs) return "unauditable"`,
    replace: ``,
    foundBy: "audit/shadow.test.ts",
    test: "does not judge what was offered before"
  },
  {
    name: "what retention may have taken is called missing",
    file: "audit/ShadowLedger.ts",
    find: `return isBehindFirst || !facts.isCut ? absent : "unauditable"`,
    replace: `return absent`,
    foundBy: "audit/shadow.test.ts",
    test: "does not judge a bucket of which"
  },
  {
    name: "a shadow does not look at values",
    file: "audit/ShadowLedger.ts",
    find: `[sumOf(key), sumOf(value)]`,
    replace: `[sumOf(key)]`,
    foundBy: "audit/shadow.test.ts",
    test: "names what is missing, what is extra"
  },
  {
    name: "a shadow does not look at headers",
    file: "audit/ShadowLedger.ts",
    find: `return [...parts, sumOf(Buffer.concat(all))].join(" ")`,
    replace: `return [...parts, ...all.slice(0, 0)].join(" ")`,
    foundBy: "audit/shadow.test.ts",
    test: "names what is missing, what is extra"
  },
  {
    name: "a shadow takes a further copy for an event",
    file: "audit/ShadowLedger.ts",
    find: `if (sighting === "copy") {`,
    replace: `if (sighting === "dropped") {`,
    foundBy: "audit/shadow.test.ts",
    test: "counts further copies"
  },
  {
    name: "a shadow holds whatever the other side has not shown",
    file: "audit/ShadowLedger.ts",
    find: `if (this.#lonely.size <= this.#options.heldMax) return`,
    replace: `if (this.#lonely.size > 0) return`,
    foundBy: "audit/shadow.test.ts",
    test: "holds no more than it may"
  },
  {
    name: "what a shadow has given up is told twice",
    file: "audit/ShadowLedger.ts",
    find: `    if (this.#isGivenUp(event)) return\n`,
    replace: ``,
    foundBy: "audit/shadow.test.ts",
    test: "holds no more than it may"
  },
  {
    name: "a shadow looks for keys that no canary takes",
    file: "audit/ShadowLedger.ts",
    find: `    if (!this.#options.takes(id.bucket)) return\n`,
    replace: ``,
    foundBy: "audit/shadow.test.ts",
    test: "looks for the share of a canary"
  },
  {
    name: "a shadow counts all in one window",
    file: "audit/shadowTopic.ts",
    find: `Math.floor(timeMs / windowMs) * windowMs`,
    replace: `0`,
    foundBy: "audit/shadow.test.ts",
    test: "names what is missing, what is extra"
  },
  {
    name: "a loss hides behind what was dropped of another process",
    file: "ledger/crashLoss.ts",
    find: `const inMemory = present === undefined ? absent : Math.max(0, absent - neverSent)`,
    replace: `const inMemory = present === undefined ? absent : Math.max(0, absent - ended)`,
    ...crashLoss
  },
  {
    name: "a loss hides behind what has ever been in a spill or a fallback",
    file: "ledger/crashLoss.ts",
    find: `const lost = Math.min(pending, behind + Math.min(between, deadLettering), inMemory)`,
    replace: `const lost = Math.min(pending, Math.max(0, inMemory - sum(({ spilled, fellBack }) => spilled + fellBack)))`,
    ...crashLoss
  },
  {
    name: "what had ended is lost with the process",
    file: "ledger/crashLoss.ts",
    find: `Math.min(pending, behind + Math.min(between, deadLettering), inMemory)`,
    replace: `Math.min(behind + Math.min(between, deadLettering), inMemory)`,
    ...crashLoss
  },
  {
    name: "a contradiction between a ledger and its topic is not told",
    file: "ledger/crashLoss.ts",
    find: `excess: Math.max(0, neverSent - absent)`,
    replace: `excess: 0`,
    foundBy: "ledger/crashLoss.test.ts",
    test: "tells of more events than were admitted"
  },
  {
    name: "what was told as stored and is gone is not missing in an audit",
    file: "audit/SequenceAudit.ts",
    find: `missingEvents: unseen + ofTold`,
    replace: `missingEvents: unseen`,
    foundBy: published,
    test: "misses the last ones of a publisher by its ledger"
  },
  {
    name: "an audit of one place misses what other places have",
    file: "audit/SequenceAudit.ts",
    find: `if (this.#since === undefined) return epoch > Math.max(1, audit.epoch)`,
    replace: `if (this.#since === undefined) return false`,
    ...movedTo("misses nothing of what its publisher wrote")
  },
  {
    name: "an audit of one place excuses whatever is not there of a stream that was moved",
    file: "audit/SequenceAudit.ts",
    find: `audit.epoch = Math.max(audit.epoch, epoch)`,
    replace: `audit.epoch = 0`,
    ...movedTo("where it was, all the same")
  },
  {
    name: "an audit of one place takes what its ledger wrote elsewhere for missing",
    file: "audit/SequenceAudit.ts",
    find: `announced?.isElsewhere === true ? this.#tailHere(announced, buckets, ends, named.there) : behind`,
    replace: `behind`,
    ...movedTo("misses nothing of what its publisher wrote")
  },
  {
    name: "an audit of one place believes that all that is behind was written elsewhere",
    file: "audit/SequenceAudit.ts",
    find: `return Math.min(behind, lost + kept + missing)`,
    replace: `return 0`,
    ...movedTo("announced as stored there")
  },
  {
    name: "a process that is closed does not name what a lane gave up",
    file: "publish/LegLanes.ts",
    find: `if (lane.unannounced.length > 0) this.account.unannounced.hold({ all: lane.unannounced })`,
    replace: ``,
    ...named
  },
  {
    name: "what was given up and has arrived explains what is lost elsewhere",
    file: "audit/droppedUnsaid.ts",
    find: `listed - listedAndStored - said.events)`,
    replace: `listed - listedAndStored)`,
    ...named
  },
  {
    name: "what was given up and is there is named as not there",
    file: "audit/saidAtClose.ts",
    find: `if (from > at) rest.push({ ...range, from: at, to: from })`,
    replace: ``,
    ...named
  },
  {
    name: "too many drops to be named are named in part",
    file: "ledger/Unannounced.ts",
    find: `if (count > rangesMax) return undefined`,
    replace: ``,
    foundBy: "ledger/Unannounced.test.ts",
    test: "there are more than can be said"
  },
  {
    name: "drops that nobody remembers count as named",
    file: "ledger/Unannounced.ts",
    find: `ranges.some(([bucket]) => bucket < 0) ? undefined : ranges`,
    replace: `ranges.filter(([bucket]) => bucket >= 0)`,
    foundBy: "ledger/Unannounced.test.ts",
    test: "a lane had more than it remembers"
  },
  {
    name: "whether one was dropped that was given up without an answer is told, though nobody can tell",
    file: "audit/SequenceAudit.ts",
    find: `unlisted - unsaid.ofUnlisted + unsaid.unclear`,
    replace: `unlisted - unsaid.ofUnlisted`,
    foundBy: "audit/closedInOutage.test.ts",
    test: "nobody can tell"
  },
  {
    name: "an audit of all places misses what was taken away from the one before",
    file: "audit/SequenceAudit.ts",
    find: `(this.#since > 1 && audit.next === 0) || this.#isCutSince(audit.cuts, bucket)`,
    replace: `this.#since > 1 && audit.next === 0`,
    ...movedTo("what retention has taken away")
  },
  {
    name: "an audit of all places counts events of other streams there",
    file: "audit/auditStream.ts",
    find: `isOf: (record) => record.tag === tag && isOfEpoch(`,
    replace: `isOf: (record) => isOfEpoch(`,
    ...movedTo("nothing of others")
  },
  {
    name: "an audit of a topic reads no fallback of it",
    file: "audit/auditTopic.ts",
    find: `const partitions = own.length
`,
    replace: `const partitions = own.length
  if (own.length > 0) return places
`,
    foundBy: "audit/fallbacks.test.ts",
    test: "finds there what the topic does not have"
  },
  {
    name: "what was admitted for an epoch that was called off is in no audit",
    file: "audit/announced.ts",
    find: `[...there, ...calledOff(ofStream, there, sequences, since)]`,
    replace: `there`,
    foundBy: "audit/movedLosses.test.ts",
    test: "finds what waited for a move in a process that was killed"
  },
  {
    name: "a mirror is taken for an epoch that was called off",
    file: "audit/announced.ts",
    find: `admitted === 0 || admitted > left || `,
    replace: ``,
    ...movedTo("asks nothing of a mirror")
  },
  {
    name: "an audit of a stream of a fleet takes its newest epoch alone",
    file: "audit/auditOfFleet.ts",
    find: `rangesOfEpochs(placement.epochs, `,
    replace: `rangesOfEpochs(placement.epochs.slice(-1), `,
    ...movedTo("by the control stream alone")
  },
  {
    name: "an audit of a stream of a fleet does not read what stays in its fallbacks",
    file: "audit/auditOfFleet.ts",
    find: `if (place.back === "stay" && clusters.has(cluster)) found.add`,
    replace: `if (place.back === "stay" && !clusters.has(cluster)) found.add`,
    ...movedTo("what stays in a fallback")
  },
  {
    name: "what may have arrived is surely not there, where its notice is gone",
    file: "audit/droppedUnsaid.ts",
    find: `const doubt = Math.min(left - ofUnlisted, doubtMax)`,
    replace: `const doubt = Math.min(0, doubtMax)`,
    ...takenAway
  },
  {
    name: "a notice that is repeated counts what is there once more",
    file: "audit/BucketAudit.ts",
    find: `return to - from - this.droppedWithin(from, to) - before`,
    replace: `return to - from - this.droppedWithin(from, to)`,
    ...takenAway
  },
  {
    name: "what is named and was announced counts twice",
    file: "audit/saidAtClose.ts",
    find: `events += to - from - announced`,
    replace: `events += to - from`,
    ...takenAway
  },
  {
    name: "a notice says where what is behind it stands",
    file: "audit/SequenceAudit.ts",
    find: `audit?.isSeen !== true && this.#isAnyCut`,
    replace: `from === 0 && this.#isAnyCut`,
    foundBy: "audit/takenAway.test.ts",
    test: "retention has taken away behind a late notice"
  }
]
