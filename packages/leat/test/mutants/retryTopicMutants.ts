import type { Mutant } from "./Mutant.ts"

const line = "consume/DueLine.test.ts"
const stories = "consume/retryTopics.test.ts"
const troubles = "consume/retryTopicTroubles.test.ts"
const lanes = "consume/dueLane.test.ts"
const worlds = "consume/retryTopicWorlds.test.ts"
const moved = "record/movedRecord.test.ts"
const verdicts = "consume/verdictOf.test.ts"
const faults = "routes/retryTopicFaults.test.ts"

/** Bugs of retry topics: what is moved there, when it comes again, and what is refused. */
export const retryTopicMutants: ReadonlyArray<Mutant> = [
  {
    name: "a delay may be as long as its cluster keeps what waits",
    file: "routes/retryTopicFaults.ts",
    find: `(keepsMs(name) ?? Infinity) <= delayMs`,
    replace: `(keepsMs(name) ?? Infinity) < delayMs`,
    foundBy: faults,
    test: "are refused by the document, with each delay"
  },
  {
    name: "nobody looks how long a fallback keeps what waits there",
    file: "routes/retryTopicFaults.ts",
    find: `[leg.cluster, ...stayedIn(leg)]`,
    replace: `[leg.cluster]`,
    foundBy: faults,
    test: "are refused where a fallback keeps less"
  },
  {
    name: "code may ask for delays that are longer than what waits is kept",
    file: "consume/Consuming.ts",
    find: `return [...retryTopicUseFaults(contract, settings.policy), ...kept]`,
    replace: `return kept.length > 99 ? kept : retryTopicUseFaults(contract, settings.policy)`,
    foundBy: faults,
    test: "are refused to code that asks"
  },
  {
    name: "a record passes one that is not due",
    file: "consume/DueLine.ts",
    find: `findIndex(({ dueMs }) => dueMs > nowMs)`,
    replace: `filter(({ dueMs }) => dueMs <= nowMs).length`,
    foundBy: line,
    test: "keeps the order of the topic"
  },
  {
    name: "a record is given a millisecond before it is due",
    file: "consume/DueLine.ts",
    find: `findIndex(({ dueMs }) => dueMs > nowMs)`,
    replace: `findIndex(({ dueMs }) => dueMs > nowMs + 1)`,
    foundBy: line,
    test: "gives each when it is due"
  },
  {
    name: "the parts of a millisecond that clocks leave out make a record come early",
    file: "consume/DueLine.ts",
    find: `leftMs > 0 ? leftMs + 1 : 0`,
    replace: `Math.max(0, leftMs)`,
    foundBy: line,
    test: "gives nothing a millisecond too early"
  },
  {
    name: "a wrong clock keeps a record waiting for a year",
    file: "consume/DueLine.ts",
    find: `const leftMs = Math.min(movedAtMs + boundMs - wallMs, boundMs)`,
    replace: `const leftMs = movedAtMs + boundMs - wallMs`,
    foundBy: line,
    test: "waits one delay at most"
  },
  {
    name: "a delay that was shortened holds for new records only",
    file: "consume/DueLine.ts",
    find: `Math.min(delayMs, dueMs - movedAtMs)`,
    replace: `Math.min(delayMs * 1000, dueMs - movedAtMs)`,
    foundBy: line,
    test: "waits for a shorter delay"
  },
  {
    name: "the first part of a batch stands for all of it",
    file: "consume/DueLine.ts",
    find: `this.isEmpty || last === undefined ? this.#next`,
    replace: `this.isEmpty || last?.position !== -1n ? this.#next`,
    foundBy: line,
    test: "gives each when it is due"
  },
  {
    name: "a part of a batch does not say why positions are missing",
    file: "consume/DueLine.ts",
    find: `...(this.#gap === undefined ? {} : { gap: this.#gap })`,
    replace: `...(this.#gap === undefined ? {} : {})`,
    foundBy: line,
    test: "gives each when it is due"
  },
  {
    name: "a record without a due time waits",
    file: "consume/DueLine.ts",
    find: `  if (moved === undefined) return 0`,
    replace: `  if (moved === undefined) return delayMs`,
    foundBy: line,
    test: "gives what says nothing of a time at once"
  },
  {
    name: "a dead letter that is read as an event is one that was moved",
    file: "record/movedRecord.ts",
    find: `found === undefined || dueMs === undefined ? undefined`,
    replace: `found === undefined ? undefined`,
    foundBy: moved,
    test: "is not a dead letter"
  },
  {
    name: "what was moved is read with the headers of the move",
    file: "record/Wire.ts",
    find: `of moved?.headers ?? headers`,
    replace: `of headers`,
    foundBy: moved,
    test: "is read as the event that it is"
  },
  {
    name: "what was moved was replayed",
    file: "record/Wire.ts",
    find: `if (letter.replays > 0) meta.replays`,
    replace: `if (letter.replays >= 0) meta.replays`,
    foundBy: moved,
    test: "is read as the event that it is"
  },
  {
    name: "what no retry helps is moved",
    file: "consume/verdictOf.ts",
    find: ` || !isRetried(policy, failure.tag) ? decision`,
    replace: ` ? decision`,
    foundBy: verdicts,
    test: "not where nothing says that waiting may help"
  },
  {
    name: "what cannot be read is moved",
    file: "consume/verdictOf.ts",
    find: `["Malformed", "CrashLoop"]`,
    replace: `["CrashLoop"]`,
    foundBy: verdicts,
    test: "not as Malformed"
  },
  {
    name: "what ends processes is moved",
    file: "consume/verdictOf.ts",
    find: `["Malformed", "CrashLoop"]`,
    replace: `["Malformed"]`,
    foundBy: verdicts,
    test: "not as CrashLoop"
  },
  {
    name: "what is retried for ever is moved",
    file: "consume/verdictOf.ts",
    find: `"retryAfterMs" in decision || nextTier`,
    replace: `nextTier`,
    foundBy: verdicts,
    test: "when the retries of its rule are used up"
  },
  {
    name: "a rule that is hidden by an earlier one counts as one that moves",
    file: "routes/retryTopicFaults.ts",
    find: `return isBounded && on.some((tag) => isRetried(policy, tag))`,
    replace: `return isBounded && on.length > 0`,
    foundBy: faults,
    test: "with the policy never are refused"
  },
  {
    name: "a rule that retries for ever counts as one that moves",
    file: "routes/retryTopicFaults.ts",
    find: `return isBounded && on.some`,
    replace: `return retry !== undefined && on.some`,
    foundBy: faults,
    test: "with the policy endless are refused"
  },
  {
    name: "delays may fall",
    file: "routes/retryTopicFaults.ts",
    find: `typeof before !== "number" || delayMs > before`,
    replace: `typeof before !== "number" || delayMs >= 0`,
    foundBy: faults,
    test: "2 minutes"
  },
  {
    name: "a group has nine retry topics",
    file: "routes/retryTopicFaults.ts",
    find: `delaysMs.length > retryTopicsMax`,
    replace: `delaysMs.length > retryTopicsMax + 1`,
    foundBy: faults,
    test: "9 minutes"
  },
  {
    name: "a contract that needs order takes retry topics of code",
    file: "routes/retryTopicFaults.ts",
    find: `  if (needs.includes("order")) return [{ path`,
    replace: `  if (needs.includes("fsync")) return [{ path`,
    foundBy: faults,
    test: "need a contract without a need of order"
  },
  {
    name: "a contract that needs order takes retry topics of an entry for some groups",
    file: "routes/retryTopicFaults.ts",
    find: `globCovers(one.group ?? "*", match.group ?? "*")`,
    replace: `one.stream !== match.group`,
    foundBy: faults,
    test: "are refused for a contract that needs order"
  },
  {
    name: "a table is not asked whether its retry topics fit the contracts",
    file: "routes/Routes.ts",
    find: `      ...orderFaults(contract, this.document),
`,
    replace: ``,
    foundBy: faults,
    test: "are refused for a contract that needs order"
  },
  {
    name: "the delays of a document are not read",
    file: "routes/Route.ts",
    find: `retryTopics?.delays.map(millisOf) ?? other.retryDelaysMs`,
    replace: `other.retryDelaysMs`,
    foundBy: faults,
    test: "are the delays, one for each"
  },
  {
    name: "a record is dead-lettered from the retry topic that it stood in",
    file: "consume/deadLetterOf.ts",
    find: `      ...place,
`,
    replace: ``,
    foundBy: stories,
    test: "waits in one retry topic after the other"
  },
  {
    name: "a dead letter tells the attempts of the last retry topic alone",
    file: "consume/deadLetterOf.ts",
    find: `attempts: attempts + held.attempts`,
    replace: `attempts: held.attempts`,
    foundBy: stories,
    test: "waits in one retry topic after the other"
  },
  {
    name: "a handler is told the attempts of the last retry topic alone",
    file: "consume/DeliveryInfo.ts",
    find: `attempt + (meta?.attemptsBefore ?? 0)`,
    replace: `attempt`,
    foundBy: stories,
    test: "waits in one retry topic after the other"
  },
  {
    name: "what is moved is due at once",
    file: "consume/deadLetterOf.ts",
    find: `dueMs: Math.ceil(nowMs + move.delayMs)`,
    replace: `dueMs: Math.ceil(nowMs)`,
    foundBy: stories,
    test: "waits in one retry topic after the other"
  },
  {
    name: "a retry topic is moved to itself",
    file: "consume/AsideTopics.ts",
    find: `retryTopic(lettersOf, group, tier + 1)`,
    replace: `retryTopic(lettersOf, group, Math.max(1, tier))`,
    foundBy: stories,
    test: "waits in one retry topic after the other"
  },
  {
    name: "a retry topic is read as soon as it is written",
    file: "consume/dueLane.ts",
    find: `leftMs > 0; leftMs = leftOf`,
    replace: `leftMs > 1e9; leftMs = leftOf`,
    foundBy: stories,
    test: "waits in one retry topic after the other"
  },
  {
    name: "what is moved becomes a dead letter",
    file: "consume/AsideTopics.ts",
    find: `if (one.move === undefined) return`,
    replace: `if (one.held !== undefined) return`,
    foundBy: stories,
    test: "waits in one retry topic after the other"
  },
  {
    name: "nobody is told of a retry topic that is new",
    file: "consume/AsideTopics.ts",
    find: `if (fault === undefined) onMoved?.(`,
    replace: `if (fault !== undefined) onMoved?.(`,
    foundBy: troubles,
    test: "is read at once by who has made it"
  },
  {
    name: "what cannot be moved counts as moved",
    file: "consume/AsideTopics.ts",
    find: `      done(fault, reason)
      if (fault === undefined) onMoved`,
    replace: `      done(undefined)
      if (fault === undefined) onMoved`,
    foundBy: troubles,
    test: "for good halts its key"
  },
  {
    name: "the writer of a retry topic is never closed",
    file: "consume/AsideTopics.ts",
    find: `[this.#letters.close, this.#retries.close]`,
    replace: `[this.#letters.close]`,
    foundBy: troubles,
    test: "is closed with the subscription"
  },
  {
    name: "the place of a moved record is the retry topic that it is written to",
    file: "consume/AsideTopics.ts",
    find: `{ topic, group, partition })`,
    replace: `{ topic: \`\${topic}.x\`, group, partition })`,
    foundBy: stories,
    test: "waits in one retry topic after the other"
  },
  {
    name: "a retry topic is named after the one before it",
    file: "consume/AsideTopics.ts",
    find: `const { transport, topic, lettersOf = topic, tier`,
    replace: `const { transport, topic, topic: lettersOf, tier`,
    foundBy: stories,
    test: "waits in one retry topic after the other"
  },
  {
    name: "a lane of a retry topic that is lost is told so when its record is due",
    file: "consume/dueLane.ts",
    find: `Effect.as(revoked, true)`,
    replace: `Effect.never`,
    foundBy: lanes,
    test: "says at once that it is lost"
  },
  {
    name: "a lane of a retry topic pulls on behind what waits",
    file: "consume/dueLane.ts",
    find: `if (line.isEmpty) {`,
    replace: `if (line.dueMs > -1) {`,
    foundBy: lanes,
    test: "gives what is due"
  },
  {
    name: "of batches that came at once the first one counts",
    file: "consume/dueLane.ts",
    find: `pulled.splice(0, 1)`,
    replace: `pulled.splice(0)`,
    foundBy: lanes,
    test: "gives what is due"
  },
  {
    name: "who waits in a retry topic counts as killed by it",
    file: "consume/dueLane.ts",
    find: `abandoned: 0`,
    replace: `abandoned: lane.abandoned`,
    foundBy: troubles,
    test: "is not asked whether its records end processes"
  },
  {
    name: "a lane of a retry topic settles nothing",
    file: "consume/dueLane.ts",
    find: `(position) => lane.settle(position)`,
    replace: `(position) => lane.settle(position - 1n)`,
    foundBy: lanes,
    test: "is the lane that it was"
  },
  {
    name: "what fails in a retry topic is a sign of an outage",
    file: "consume/SideTopics.ts",
    find: `      failed: (nowMs, countedMs) => outage.failedAgain(`,
    replace: `      failed: (nowMs, countedMs) => outage.failed(`,
    foundBy: troubles,
    test: "is none where only a retry topic fails"
  },
  {
    name: "what fails in a retry topic goes on in an outage",
    file: "consume/SideTopics.ts",
    find: `isOutage: (nowMs, isAhead) => outage.isOutage(nowMs, isAhead)`,
    replace: `isOutage: () => false`,
    foundBy: troubles,
    test: "is waited out in the lane"
  },
  {
    name: "a retry topic tells an outage by itself",
    file: "consume/SideTopics.ts",
    find: `tier, signs: seen }`,
    replace: `tier }`,
    foundBy: troubles,
    test: "is none where only a retry topic fails"
  },
  {
    name: "what was moved behind a topic that is gone is not found",
    file: "consume/SideTopics.ts",
    find: `if (isThere === false && !isFirst) break`,
    replace: `if (isThere === false) break`,
    foundBy: troubles,
    test: "leaves nothing behind"
  },
  {
    name: "a fraction of a millisecond is no delay",
    file: "consume/deadLetterOf.ts",
    find: `dueMs: Math.ceil(nowMs + move.delayMs)`,
    replace: `dueMs: nowMs + move.delayMs`,
    foundBy: troubles,
    test: "is a delay in parts of a millisecond too"
  },
  {
    name: "a retry topic whose reading ended is never read again",
    file: "consume/SideTopic.ts",
    find: `Effect.andThen(this.#wake.waitFor(pauseMs)),`,
    replace: `Effect.andThen(Effect.never),`,
    foundBy: troubles,
    test: "is read again after its reading ended"
  },
  {
    name: "a retry topic that cannot be asked for hides those behind it",
    file: "consume/SideTopic.ts",
    find: `error.reason === "UnknownTopic" ? false : textOf(error)`,
    replace: `error.reason === "UnknownTopic" ? false : false`,
    foundBy: troubles,
    test: "is looked behind where nobody says"
  },
  {
    name: "that topics cannot be asked for is told again and again",
    file: "consume/SideTopics.ts",
    find: `if (this.#unknownLooks !== 2) return Effect.void`,
    replace: `if (this.#unknownLooks < 2) return Effect.void`,
    foundBy: troubles,
    test: "is looked behind where nobody says"
  },
  {
    name: "retry topics are read as replays, before they are due",
    file: "consume/SideTopics.ts",
    find: `tier), tier, signs`,
    replace: `tier), signs`,
    foundBy: stories,
    test: "waits in one retry topic after the other"
  },
  {
    name: "a group that waits asks for its topics without a pause",
    file: "consume/SideTopics.ts",
    find: `const lookMs = 30_000`,
    replace: `const lookMs = 3000`,
    foundBy: stories,
    test: "are waited for with one timer"
  },
  {
    name: "what was moved a second time is a copy",
    file: "consume/SideTopic.ts",
    find: `tier === undefined ? settings`,
    replace: `tier !== 0 ? settings`,
    foundBy: troubles,
    test: "move twice"
  },
  {
    name: "the first retry topic comes behind each",
    file: "consume/SetAside.ts",
    find: `retryDelaysMs[tier]`,
    replace: `retryDelaysMs[0]`,
    foundBy: verdicts,
    test: "the tier behind one"
  },
  {
    name: "what was moved is told dead-lettered",
    file: "consume/ReadLane.ts",
    find: `isMove ? "moved" : "deadLettered"`,
    replace: `isMove && tag === "" ? "moved" : "deadLettered"`,
    foundBy: stories,
    test: "waits in one retry topic after the other"
  },
  {
    name: "retry topics of code are not asked whether they fit",
    file: "consume/Consuming.ts",
    find: `[...retryTopicUseFaults(contract, settings.policy), ...kept]`,
    replace: `kept`,
    foundBy: stories,
    test: "of a contract that needs order"
  },
  {
    name: "a header is believed wherever it stands",
    file: "record/movedRecord.ts",
    find: `if (headers[0]?.[0] !== deadLetterHeader) return undefined`,
    replace: `if (headers.length === 0) return undefined`,
    foundBy: moved,
    test: "is not what says so behind another header"
  },
  {
    name: "the number of moves is lost",
    file: "record/movedRecord.ts",
    find: `{ ...found, dueMs, moves }`,
    replace: `{ ...found, dueMs, moves: 1 }`,
    foundBy: moved,
    test: "says when it is due"
  },
  {
    name: "in a drawn world a record comes before it is due",
    file: "consume/DueLine.ts",
    find: `leftMs > 0 ? leftMs + 1 : 0`,
    replace: `leftMs > 1500 ? leftMs + 1 : 0`,
    foundBy: worlds,
    test: "none before it is due"
  },
  {
    name: "in a drawn world what a member has moved is not for who comes next",
    file: "consume/SideTopic.ts",
    find: `from: From = "earliest"`,
    replace: `from: From = "latest"`,
    foundBy: worlds,
    test: "every event is handled or dead-lettered"
  },
  {
    name: "the tier behind each is the first one",
    file: "consume/SetAside.ts",
    find: `{ tier: tier + 1, delayMs }`,
    replace: `{ tier: 1, delayMs }`,
    foundBy: verdicts,
    test: "the tier behind one"
  },
  {
    name: "what is to be moved is read when its turn has come",
    file: "consume/AsideTopics.ts",
    find: `const recordAt = deadLetterOf(one, slice, { topic, group, partition })`,
    replace: `const recordAt = (nowMs: number) => deadLetterOf(one, slice, { topic, group, partition })(nowMs)`,
    foundBy: troubles,
    test: "halts the lane when it is to be moved"
  },
  {
    name: "retry topics of a document keep a handler from starting that has a policy of its own",
    file: "consume/Consuming.ts",
    find: `if (options.retryTopics === undefined) return []`,
    replace: `if (settings.retryDelaysMs.length === 0) return []`,
    foundBy: stories,
    test: "of a document are no fault"
  },
  {
    name: "what was moved is missing in the balance of its lane",
    file: "consume/Source.ts",
    find: `const aside = total(machine.moved) + `,
    replace: `const aside = `,
    foundBy: stories,
    test: "waits in one retry topic after the other"
  },
  {
    name: "what a lane moved is forgotten when it is held again",
    file: "ledger/GroupAccount.ts",
    find: `    moved: added(earlier.moved, later.moved),
`,
    replace: ``,
    foundBy: "ledger/lanes.test.ts",
    test: "adds up"
  },
  {
    name: "records that wait do not hear of another delay",
    file: "consume/Source.ts",
    find: `    for (const changed of this.#configured) changed.signal()
`,
    replace: ``,
    foundBy: troubles,
    test: "is taken over by what waits already"
  },
  {
    name: "records that wait hear of another delay and keep the old one",
    file: "consume/DueLine.ts",
    find: `    if (delayMs === this.#delayMs) return`,
    replace: `    if (delayMs !== 5) return`,
    foundBy: lanes,
    test: "takes over a shorter delay at once"
  },
  {
    name: "a record that is too large for a retry topic halts its key",
    file: "consume/ReadLane.ts",
    find: `if (isMove && isTooLarge) return`,
    replace: `if (isMove && isTooLarge && tag === "") return`,
    foundBy: "consume/retryTopicTroubles.test.ts",
    test: "is dropped where its rule drops"
  },
  {
    name: "a record that is too large for a retry topic is moved there again",
    file: "consume/ReadLane.ts",
    find: `{ tag, detail: why, error }, nowMs, false)`,
    replace: `{ tag, detail: why, error }, nowMs, true)`,
    foundBy: "consume/ReadLane.test.ts",
    test: "is dead-lettered, and not moved once more"
  },
  {
    name: "whatever a retry topic refuses ends as its rule says",
    file: "consume/LaneShell.ts",
    find: `reason === "TooLarge"`,
    replace: `reason !== undefined`,
    foundBy: "consume/retryTopicTroubles.test.ts",
    test: "is told from one that is refused for another reason"
  },
  {
    name: "a group that is not told whether a tier is there asks again whenever it moves a record",
    file: "consume/SideTopics.ts",
    find: `isRead !== true && this.#unknownLooks < 2)`,
    replace: `isRead !== true)`,
    foundBy: troubles,
    test: "is not asked about for each record"
  },
  {
    name: "what waits in tiers is told when nobody counts it any more",
    file: "ledger/GroupAccount.ts",
    find: `if (records === undefined || isNew)`,
    replace: `if (isNew)`,
    foundBy: "consume/retryTopics.test.ts",
    test: "is counted by tier"
  },
  {
    name: "a group looks for its topics whenever it moves a record",
    file: "consume/SideTopics.ts",
    find: `if (this.#tiers[tier - 1]?.isRead !== true &&`,
    replace: `if (tier > 0 &&`,
    foundBy: "consume/retryTopics.test.ts",
    test: "is counted by tier"
  },
  {
    name: "what is read again of a retry topic is due",
    file: "consume/DueLine.ts",
    find: `  const leftMs = Math.min(movedAtMs + boundMs - wallMs, boundMs)`,
    replace: `  const leftMs = Math.min(movedAtMs + boundMs - wallMs, boundMs) * (movedAtMs + 300 < wallMs ? 0 : 1)`,
    foundBy: "consume/retryTopicTroubles.test.ts",
    test: "leaves nothing behind"
  }
]
