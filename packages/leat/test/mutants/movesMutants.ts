import type { Mutant } from "./Mutant.ts"

const ofCoordinators = { foundBy: "moves/Coordinator.test.ts" } as const

const ofOtherGroups = { foundBy: "moves/otherGroups.test.ts" } as const

const ofStraying = { foundBy: "moves/straying.test.ts" } as const

const ofOrder = { foundBy: "moves/relaxed.test.ts" } as const
const ofRest = { foundBy: "moves/leftBehind.test.ts" } as const
const ofTargets = { foundBy: "moves/targetTopics.test.ts" } as const
const inWaves = { foundBy: "moves/waves.test.ts" } as const

const ofTools = { foundBy: "moves/MoveTools.test.ts" } as const

/** Bugs in who brings moves on, found by stories on virtual time. */
export const movesMutants: ReadonlyArray<Mutant> = [
  {
    name: "a cluster that is gone is asked although all is said",
    file: "moves/planMove.ts",
    find: `yield* asked.foreignWritersStopped && placement !== undefined`,
    replace: `yield* (false as boolean)`,
    foundBy: "moves/goneCluster.test.ts",
    test: "is left by a move that says so"
  },
  {
    name: "a tool opens a cluster for each of its questions",
    file: "control/keptOpen.ts",
    find: `opened.set(key, result)`,
    replace: `void result`,
    foundBy: "moves/MoveTools.test.ts",
    test: "opens each cluster once for a plan and for a start"
  },
  {
    name: "a tool tries a cluster that cannot be reached for each stream anew",
    file: "control/keptOpen.ts",
    find: `opened.set(key, result)`,
    replace: `if (result._tag === "Success") opened.set(key, result)`,
    foundBy: "moves/MoveTools.test.ts",
    test: "tries a cluster that cannot be reached for half a minute"
  },
  {
    name: "what stands in for one source is not asked for of another",
    file: "control/places.ts",
    find: `return routes.routesOf(stream).flatMap(({ legs }) => legs)`,
    replace: `return routes.routesOf(stream).slice(0, 1).flatMap(({ legs }) => legs)`,
    ...ofRest,
    test: "of another source"
  },
  {
    name: "who strayed carries the partitions of the place alone",
    file: "moves/Straggler.ts",
    find: `const partitions = yield* places.partitions(place)`,
    replace: `const { partitions } = place`,
    ...ofStraying,
    test: "and its topic was given more partitions since"
  },
  {
    name: "a process opens a stream that it could not follow",
    file: "Leat.ts",
    find: `this.#moves?.awaitsMove(contract, asked, found) ?? Effect.void`,
    replace: `Effect.void`,
    foundBy: "moves/reach.test.ts",
    test: "and is begun while the stream is on its way"
  },
  {
    name: "a mirror may write the epoch that is to begin where it is",
    file: "control/leftBehind.ts",
    find: `leg.epoch >= epoch)`,
    replace: `leg.epoch > epoch)`,
    ...ofRest,
    test: "keeps a stream where it is while its records"
  },
  {
    name: "a document does not ask for mirrors where it sends a stream",
    file: "control/places.ts",
    find: `if (mirror !== undefined) return`,
    replace: `if (mirror === "") return`,
    ...ofRest,
    test: "keeps a stream where it is while its records"
  },
  {
    name: "who began with routes of its own has written what is read",
    file: "moves/Straggler.ts",
    find: `epoch > this.leg.epoch)`,
    replace: `epoch < this.leg.epoch)`,
    ...ofStraying,
    test: "under an older epoch, which nobody reads"
  },
  {
    name: "who strayed writes an epoch that has ended",
    file: "moves/PlacedRoute.ts",
    find: `found.epoch === leg.epoch && found.end === undefined`,
    replace: `found.epoch === leg.epoch`,
    ...ofStraying,
    test: "its old place is read on by a group"
  },
  {
    name: "who strayed is where the stream has come back to",
    file: "moves/PlacedRoute.ts",
    find: `found.epoch === leg.epoch && found.end === undefined`,
    replace: `found.end === undefined`,
    ...ofStraying,
    test: "its old place has the stream again"
  },
  {
    name: "a way back takes a node of another document",
    file: "moves/backTo.ts",
    find: `document.createNode(sections[name])`,
    replace: `parseDocument(other).getIn(["clusters", name])`,
    ...ofRest,
    test: "keeps the clusters that the older document"
  },
  {
    name: "an event is required nowhere while its stream moves",
    file: "moves/PlacedRoute.ts",
    find: `leg.required || !isAlone ? leg`,
    replace: `leg.required || isAlone ? leg`,
    foundBy: "moves/PlacedRoute.test.ts",
    test: "is required where the one that is"
  },
  {
    name: "who knows the contract leaves the topic of the target to whoever coordinates",
    file: "moves/Moves.ts",
    find: `if (Result.isFailure(found) && !(yield* isMadeFor(contract, transport, spec))) return`,
    replace: `if (Result.isFailure(found)) return`,
    ...ofTargets,
    test: "as its compacted contract wants it"
  },
  {
    name: "the topic of a target is made with one partition",
    file: "moves/Moves.ts",
    find: `: this.#targetAt(contract.stream, leg.sink)?.partitions`,
    replace: `: 1`,
    ...ofTargets,
    test: "as its ordinary contract wants it"
  },
  {
    name: "the topic of a target is made as its cluster makes topics",
    file: "publish/openTopic.ts",
    find: `transport.ensure(isCompacted ? { ...spec, compacted: true } : spec)`,
    replace: `transport.ensure(spec)`,
    ...ofTargets,
    test: "as its compacted contract wants it"
  },
  {
    name: "who may not make the topic of a target refuses the document",
    file: "publish/openTopic.ts",
    find: `!isRetryable && compaction !== "needed"`,
    replace: `!isRetryable && compaction === "needed"`,
    ...ofTargets,
    test: "is left to others"
  },
  {
    name: "a contract that needs compaction leaves the topic of a target to others",
    file: "publish/openTopic.ts",
    find: `!isRetryable && compaction !== "needed"`,
    replace: `!isRetryable`,
    ...ofTargets,
    test: "is left to others"
  },
  {
    name: "a start does not make the topic whose contract it knows",
    file: "moves/MoveTools.ts",
    find: `if (!isDry) yield* makeTargets`,
    replace: `if (isDry) yield* makeTargets`,
    ...ofTargets,
    test: "by a start that knows"
  },
  {
    name: "a stream whose topic is not there is planned to move",
    file: "moves/planMove.ts",
    find: `if (yield* isThere(transport, topic)) return undefined`,
    replace: `if (stream !== "") return undefined`,
    ...ofTools,
    test: "names the stream that is meant"
  },
  {
    name: "a start says where a stream lies before its new topic is made",
    file: "moves/MoveTools.ts",
    find: `      if (!isDry) yield* makeTargets(means, asked, moves)
      for (const { stream: name, from, epoch, isPlaced } of moves)
        if (!isPlaced) yield* placed(stream, name, from, epoch, reason)`,
    replace: `      for (const { stream: name, from, epoch, isPlaced } of moves)
        if (!isPlaced) yield* placed(stream, name, from, epoch, reason)
      if (!isDry) yield* makeTargets(means, asked, moves)`,
    ...ofTargets,
    test: "is made before the control stream"
  },
  {
    name: "a plan says of a topic whose contract it knows how the old one is",
    file: "moves/targetTopics.ts",
    find: `if (contract !== undefined) return`,
    replace: `if (contract === undefined) return`,
    ...ofTargets,
    test: "by a start that knows"
  },
  {
    name: "a plan says of a topic that is there how it is made",
    file: "moves/planMove.ts",
    find: `isMade ? madeAfter(`,
    replace: `isMade !== undefined ? madeAfter(`,
    ...ofTargets,
    test: "by a start that knows"
  },
  {
    name: "a plan makes the topic that it looks at",
    file: "transport/madeCompacted.ts",
    find: `Effect.flatMap(transport.bounds(topic), ({ length }) =>`,
    replace: `Effect.flatMap(Effect.succeed([0]), ({ length }) =>`,
    foundBy: "transport/madeCompacted.test.ts",
    test: "is asked without making one"
  },
  {
    name: "a place is abandoned with what stands in for its leg",
    file: "moves/dead.ts",
    find: `if (place !== undefined && left.includes("fallback"))`,
    replace: `if (place === undefined && left.includes("fallback"))`,
    ...ofRest,
    test: "is not abandoned while something stands in"
  },
  {
    name: "a table of a program says where a placed stream lies",
    file: "TableSwaps.ts",
    find: `of === "fleet" && this`,
    replace: `this`,
    ...ofStraying,
    test: "does not say where a stream lies that its fleet has placed"
  },
  {
    name: "a document that a process cannot follow is taken",
    file: "TableSwaps.ts",
    find: `if (asked) missing.push(...targets)`,
    replace: `if (!asked) missing.push(...targets)`,
    foundBy: "moves/reach.test.ts",
    test: "cannot reach it refuses"
  },
  {
    name: "who may not write in the new place takes the document",
    file: "moves/Moves.ts",
    find: `yield* openTopic(transport, { topic: leg.topic, sink: leg.sink, compaction: isNeeded ? "needed" : undefined })`,
    replace: `yield* transport.partitionsOf(leg.topic)`,
    foundBy: "moves/reach.test.ts",
    test: "cannot write there refuses"
  },
  {
    name: "a best-effort leg is required when its stream is placed",
    file: "moves/PlacedRoute.ts",
    find: `required: readLeg.required`,
    replace: `required: true`,
    foundBy: "moves/PlacedRoute.test.ts",
    test: "is best effort where it was"
  },
  {
    name: "a plan leaves what stands in for the old leg",
    file: "moves/planMove.ts",
    find: `...(yield* leftBehindIn(means, before, after, { stream, was, place: from, said: { ...asked.said, contract } }))`,
    replace: `...[]`,
    ...ofRest,
    test: "keeps a stream where it is: a fallback"
  },
  {
    name: "a document leaves what stands in for the old leg",
    file: "control/places.ts",
    find: `if (left.length > 0) return yield*`,
    replace: `if (left.length < 0) return yield*`,
    ...ofRest,
    test: "keeps a stream where it is: a fallback"
  },
  {
    name: "a spill and a fallback are nothing",
    file: "control/places.ts",
    find: `there.some((leg) => leg[name] !== undefined)`,
    replace: `there.some((leg) => leg[name] === null)`,
    ...ofRest,
    test: "keeps a stream where it is: a fallback"
  },
  {
    name: "the state of a compacted topic may stay behind",
    file: "control/leftBehind.ts",
    find: `(contract?.compacted === true || (yield* isCompacted))`,
    replace: `contract?.compacted === true`,
    ...ofRest,
    test: "keeps a stream where it is: the latest event"
  },
  {
    name: "one cluster under two names is two",
    file: "moves/planMove.ts",
    find: `here !== undefined && here === there)`,
    replace: `here === undefined)`,
    ...ofRest,
    test: "does not move a stream from one name"
  },
  {
    name: "a way back forgets the clusters that it did not know",
    file: "moves/backTo.ts",
    find: `if (missing.length === 0) return text`,
    replace: `if (missing.length >= 0) return text`,
    ...ofRest,
    test: "keeps the clusters that the older document"
  },
  {
    name: "a way back takes others along",
    file: "moves/backTo.ts",
    find: `placeBefore.get(name) ?? endsOf(placement).newest?.place`,
    replace: `placeBefore.get(name)`,
    ...ofRest,
    test: "moves no stream that was not asked for"
  },
  {
    name: "a mirror that was there before is of the epoch that begins there",
    file: "consume/EpochLine.ts",
    find: `(epoch < firstEpoch && readable.epoch === firstEpoch)`,
    replace: `epoch < firstEpoch`,
    foundBy: "consume/EpochLine.test.ts",
    test: "of a mirror that was there before"
  },
  {
    name: "who begins after a topic has grown writes to all of it",
    file: "moves/PlacedRoute.ts",
    find: `    partitions: place.partitions
`,
    replace: ``,
    ...ofStraying,
    test: "is written where it was placed"
  },
  {
    name: "a topic that has grown is another place of a document",
    file: "control/moves.ts",
    find: `if (newest !== undefined && isSameTopic(newest.place, place)) return placement`,
    replace: `if (newest?.place.partitions === place.partitions && isSameTopic(newest.place, place)) return placement`,
    ...ofStraying,
    test: "is written where it was placed"
  },
  {
    name: "who strayed leaves what nobody reads where it is",
    file: "moves/Straggler.ts",
    find: `if (unread?.begin === undefined) return`,
    replace: `if (unread?.begin !== undefined) return`,
    ...ofStraying,
    test: "sends on what it has stored where nobody reads"
  },
  {
    name: "who strayed stays where it is",
    file: "moves/PlacedWriter.ts",
    find: `this.#written = this.#straggler.epoch`,
    replace: `this.#written = undefined`,
    ...ofStraying,
    test: "sends on what it has stored where nobody reads"
  },
  {
    name: "all streams of a plan go at once",
    file: "moves/MoveTools.ts",
    find: `for (const name of those) yield* holds(stream, name, true, reason)`,
    replace: `for (const name of those) yield* holds(stream, name, false, reason)`,
    ...inWaves,
    test: "go a few at a time"
  },
  {
    name: "waves take along whom a person has paused",
    file: "moves/MoveTools.ts",
    find: `const left = names.filter(isPaused)`,
    replace: `const left = names.filter((name) => name === "" && isPaused(name))`,
    ...inWaves,
    test: "leave out whom a person has paused"
  },
  {
    name: "a wave goes before the one before is written",
    file: "moves/waves.ts",
    find: `if (waiting.length === 0) return undefined`,
    replace: `if (waiting.length < Infinity) return undefined`,
    ...inWaves,
    test: "go a few at a time"
  },
  {
    name: "a wave goes after a long pause",
    file: "moves/waves.ts",
    find: `one.isWritten && one.pauseMs > pauseMs`,
    replace: `one.isWritten && one.pauseMs < 0`,
    ...inWaves,
    test: "stop after a pause over the bound"
  },
  {
    name: "a wave goes while the old places of the one before are not read to their end",
    file: "moves/waves.ts",
    find: `phase === "retired" || phase === "abandoned" || handedOver.has(group)`,
    replace: `phase !== "planned" || handedOver.has(group)`,
    ...inWaves,
    test: "stop where a process is passed over, and where a group"
  },
  {
    name: "a wave goes after somebody was passed over",
    file: "moves/waves.ts",
    find: `return owing.length === 0 ? undefined`,
    replace: `return owing.length >= 0 ? undefined`,
    ...inWaves,
    test: "stop where a process is passed over, and where a group"
  },
  {
    name: "a wave that takes long is waited for",
    file: "moves/waves.ts",
    find: `if (nowMs - startMs >= withinMs) return`,
    replace: `if (nowMs - startMs >= withinMs * 100) return`,
    ...inWaves,
    test: "stop after a wave that takes too long"
  },
  {
    name: "a stream that is paused begins to move",
    file: "control/duties.ts",
    find: `!isSweeping(placement) && !isPaused)`,
    replace: `!isSweeping(placement))`,
    foundBy: "moves/pausing.test.ts",
    test: "begins no move, while others do"
  },
  {
    name: "a stream that is paused loses its old place",
    file: "control/duties.ts",
    find: `if (!isPaused && mayRetire(placement, index))`,
    replace: `if (mayRetire(placement, index))`,
    foundBy: "moves/pausing.test.ts",
    test: "goes on until it is written in its new place"
  },
  {
    name: "a stream that is resumed stays paused",
    file: "control/moves.ts",
    find: `step: placement.step + 1, isPaused: false }`,
    replace: `step: placement.step + 1, isPaused: true }`,
    foundBy: "moves/pausing.test.ts",
    test: "begins no move, while others do"
  },
  {
    name: "a word about a dead process is for one stream",
    file: "control/duties.ts",
    find: `if (writers.get(member) === "givenUp") return true`,
    replace: `if (writers.get(member) === undefined) return true`,
    ...ofTools,
    test: "gives up a dead process in all streams"
  },
  {
    name: "a silent process is given up without a word",
    file: "control/duties.ts",
    find: `(upTo === undefined && isDead(member) ? [member] : [])`,
    replace: `(upTo === undefined ? [member] : [])`,
    ...ofCoordinators,
    test: "passes over a writer that does not beat"
  },
  {
    name: "a plan is refused for a process that may be gone",
    file: "moves/planMove.ts",
    find: `asked.waits ? quiet.map(({ incarnation }) => incarnation) : []`,
    replace: `asked.waits ? [] : []`,
    ...ofTools,
    test: "waits for a process that was killed"
  },
  {
    name: "who was not watched is gone",
    file: "moves/Silence.ts",
    find: `Math.min(this.#begunMs + watchedMsMax,`,
    replace: `Math.min(this.#begunMs,`,
    ...ofTools,
    test: "waits for a process that was killed"
  },
  {
    name: "who comes back while a start waits is gone all the same",
    file: "moves/Silence.ts",
    find: `if (this.#beats.get(member)?.beats !== beats) this.#beats`,
    replace: `if (!this.#beats.has(member)) this.#beats`,
    ...ofTools,
    test: "is refused where such a process comes back"
  },
  {
    name: "a start waits for who is gone",
    file: "moves/placing.ts",
    find: `if (silence.isGone(member, nowMs)) return false`,
    replace: `if (silence.isGone(member, 0)) return false`,
    ...ofTools,
    test: "waits no second time for who is gone"
  },
  {
    name: "a stream may not move to where nothing fences, whatever its policy",
    file: "moves/planMove.ts",
    find: `ofNew.ordering !== "perPartition" && givenUp !== "")`,
    replace: `ofNew.ordering !== "perPartition")`,
    ...ofTools,
    test: "to where nothing fences takes a policy that gives nothing up"
  },
  {
    name: "a stream may move to where nothing fences and its policy drops",
    file: "moves/planMove.ts",
    find: `const givenUp = givenUpAfter(leg.policy).join(", ")`,
    replace: `const givenUp = ""`,
    ...ofTools,
    test: "to where nothing fences takes a policy that gives nothing up"
  },
  {
    name: "a move begins although a writer refuses the document",
    file: "moves/awaited.ts",
    find: `if (how !== "joined" || isSilent(member)) continue`,
    replace: `if (how !== "joined" || member !== "") continue`,
    ...ofCoordinators,
    test: "stays planned while a writer that lives refuses"
  },
  {
    name: "a writer that beats is passed over",
    file: "moves/awaited.ts",
    find: `const living = duty.missing.filter((member) => !isSilent(member))`,
    replace: `const living = duty.missing.filter((member) => member === "")`,
    ...ofCoordinators,
    test: "waits for a writer that beats"
  },
  {
    name: "a beat that is no news makes a process younger",
    file: "moves/Heard.ts",
    find: `if (this.#beats.get(member)?.beats !== beats) this.#beats`,
    replace: `this.#beats`,
    ...ofCoordinators,
    test: "passes over a writer that does not beat"
  },
  {
    name: "a target with other partitions is found out when all is held up",
    file: "moves/perform.ts",
    find: `newest === undefined ? Effect.void : endsOfTarget(`,
    replace: `newest !== undefined ? Effect.void : endsOfTarget(`,
    ...ofCoordinators,
    test: "stays planned while the topic of the target has fewer partitions"
  },
  {
    name: "the topic of a target forgets that the old one is compacted",
    file: "moves/perform.ts",
    find: `...(compacted ? { compacted } : {})`,
    replace: `...(compacted ? {} : {})`,
    ...ofCoordinators,
    test: "makes the topic of the target"
  },
  {
    name: "a group has handed over what it has not settled",
    file: "moves/retire.ts",
    find: `if (count === 0) yield*`,
    replace: `if (count >= 0) yield*`,
    ...ofCoordinators,
    test: "is not retired before each group"
  },
  {
    name: "an epoch is retired before it is asked who has settled it",
    file: "moves/retire.ts",
    find: `if (left.length === 0) return "all"`,
    replace: `if (left.length >= 0) return "all"`,
    ...ofCoordinators,
    test: "is brought on by several coordinators"
  },
  {
    name: "what is swept says the old epoch",
    file: "moves/sweep.ts",
    find: `inEpoch(headers, duty.to.epoch)`,
    replace: `inEpoch(headers, duty.epoch)`,
    ...ofCoordinators,
    test: "passes over a writer that does not beat"
  },
  {
    name: "what is swept goes to the partition that it had",
    file: "moves/sweep.ts",
    find: `partition: bucket % duty.to.place.partitions`,
    replace: `partition: bucket % duty.place.partitions`,
    ...ofCoordinators,
    test: "passes over a writer that does not beat"
  },
  {
    name: "the sweep sends the next record before it knows what became of the last",
    file: "moves/sweep.ts",
    find: `yield* leaving(append(partition, [plain], tellWaiting))`,
    replace: `[yield* Effect.as(Effect.forkDetach(append(partition, [plain], tellWaiting)), undefined)]`,
    ...ofCoordinators,
    test: "move a stream without loss and in order"
  },
  {
    name: "the sweep says how far it is before it has sent that",
    file: "moves/sweep.ts",
    find: `            yield* sent(task, means, forwarder.append, records)
            carried += records.length
            swept = swept.map((one, index) => (index === partition ? next : one))
            yield* note(swept)`,
    replace: `            carried += records.length
            swept = swept.map((one, index) => (index === partition ? next : one))
            yield* note(swept)
            yield* sent(task, means, forwarder.append, records)`,
    ...ofCoordinators,
    test: "move a stream without loss and in order"
  },
  {
    name: "a record that the target refuses is left behind by the sweep",
    file: "moves/sweep.ts",
    find: `if (refusal !== undefined)`,
    replace: `if (refusal === null)`,
    ...ofCoordinators,
    test: "sweep nothing beyond a record"
  },
  {
    name: "the sweep takes along what others wrote behind the end",
    file: "moves/sweep.ts",
    find: `if (member === undefined || !duty.members.includes(member)) return []`,
    replace: `if (member === undefined) return []`,
    ...ofCoordinators,
    test: "sweep only what members"
  },
  {
    name: "all processes coordinate at once",
    file: "moves/Coordinator.ts",
    find: `if (member < control.author && `,
    replace: `if (member === "" && `,
    ...ofCoordinators,
    test: "ask a cluster for a group that is behind"
  },
  {
    name: "nobody steps in for a coordinator that has died",
    file: "moves/Coordinator.ts",
    find: `isActing ? work.dueMs : Math.max(`,
    replace: `isActing ? work.dueMs : 10 * Math.max(`,
    ...ofCoordinators,
    test: "take the place of one that has died"
  },
  {
    name: "a driver that cannot be interrupted holds up a move for ever",
    file: "moves/Places.ts",
    find: `Effect.mapError(leaving(asking), `,
    replace: `Effect.mapError(asking, `,
    ...ofCoordinators,
    test: "go on whatever a driver does"
  },
  {
    name: "a document may leave out the cluster in which a stream still lies",
    file: "control/places.ts",
    find: `phase !== "retired" && !routes.clusters.has`,
    replace: `phase === "sealing" && !routes.clusters.has`,
    ...ofTools,
    test: "moves them, or leaves them"
  },
  {
    name: "a document that leaves a stream where it lies asks its cluster for partitions",
    file: "control/places.ts",
    find: `const known = knownPlace(placement, leg)`,
    replace: `const known = undefined as Place | undefined`,
    ...ofTools,
    test: "keeps the partitions that a stream was placed with"
  },
  {
    name: "a move is applied before all processes know that the stream is placed",
    file: "moves/placing.ts",
    find: `const beatsSince = 2`,
    replace: `const beatsSince = 1`,
    ...ofTools,
    test: "places the stream, waits until all processes know"
  },
  {
    name: "old records of others hold up a move",
    file: "moves/foreignWriters.ts",
    find: `if (nowMs - timeMs > ageMsMax) continue`,
    replace: `if (nowMs - timeMs < 0) continue`,
    ...ofTools,
    test: "is refused while somebody else writes the old topic"
  },
  {
    name: "a writer that lives is given up",
    file: "moves/dead.ts",
    find: `return heardMs < livingMs`,
    replace: `return heardMs < 0`,
    ...ofTools,
    test: "does not give up a writer that was heard of just now"
  },
  {
    name: "a writer is given up with nothing behind the end",
    file: "moves/dead.ts",
    find: `epoch.phase === "abandoned" ? [] : `,
    replace: `epoch.phase !== "retired" ? [] : `,
    ...ofTools,
    test: "gives up who was passed over"
  },
  {
    name: "a process that has not opened a stream holds up its moves",
    file: "moves/Bystander.ts",
    find: `if (!isAsked(standing)) return []`,
    replace: `if (!isAsked(standing) || standing.does === "drain") return []`,
    foundBy: "moves/started.test.ts",
    test: "waits for no process of the fleet"
  },
  {
    name: "a process says for its writers that they hold nothing",
    file: "moves/Bystander.ts",
    find: `if (this.#opened.has(stream)) return []`,
    replace: ``,
    foundBy: "moves/Bystander.test.ts",
    test: "says nothing of a stream that it has opened"
  },
  {
    name: "an epoch is retired although a group that nobody has named reads it",
    file: "moves/retire.ts",
    find: `means, others ?? [], "other group"`,
    replace: `means, [], "other group"`,
    ...ofOtherGroups,
    test: "reads all that it has not read"
  },
  {
    name: "an epoch is retired by itself where nobody can tell who reads it",
    file: "moves/retire.ts",
    find: `others === undefined && word === undefined`,
    replace: `others === undefined && word === "unanswered"`,
    ...ofOtherGroups,
    test: "is retired by nobody but a person"
  },
  {
    name: "a group of another stream that has left the topic is waited for for ever",
    file: "moves/retire.ts",
    find: `name === stream || epochs.some((one) => isSameTopic(one.place, place))`,
    replace: `name === stream || epochs.length < 0`,
    ...ofOtherGroups,
    test: "holds nothing up where its stream has left"
  },
  {
    name: "a group that is named for another topic is not waited for in this one",
    file: "moves/retire.ts",
    find: `name === stream || epochs.some((one) => isSameTopic(one.place, place))`,
    replace: `name === stream || epochs.length > 0`,
    ...ofOtherGroups,
    test: "where that stream lies in another topic"
  },
  {
    name: "a cluster that does not answer has no other groups",
    file: "moves/retire.ts",
    find: `word === "unanswered" ? Effect`,
    replace: `word === "unanswered" || word === "untold" ? Effect`,
    ...ofOtherGroups,
    test: "only where a person says that it is gone"
  },
  {
    name: "what a driver names that names no groups are groups",
    file: "moves/Places.ts",
    find: `Array.isArray(names) && names.every((name) => typeof name === "string")`,
    replace: `names.length > 0`,
    ...ofOtherGroups,
    test: "is not thought away while the cluster gives no answer"
  },
  {
    name: "the record of what is retired names the groups of the fleet alone",
    file: "moves/retire.ts",
    find: `[...placement.groups, ...(others ?? [])]`,
    replace: `[...placement.groups]`,
    ...ofOtherGroups,
    test: "holds up the end of the old place"
  },
  {
    name: "the status tells no other groups",
    file: "moves/moveStatus.ts",
    find: `const found = others.map(`,
    replace: `const found = others.slice(0, 0).map(`,
    ...ofOtherGroups,
    test: "is told in the status"
  },
  {
    name: "a group that nobody knows is given up",
    file: "moves/dead.ts",
    find: `known.isAll && !known.groups.has(group)`,
    replace: `known.isAll && group === ""`,
    ...ofOtherGroups,
    test: "is told in the status"
  },
  {
    name: "a group that a person has given up is waited for",
    file: "moves/retire.ts",
    find: `groups.filter((group) => !handedOver.has(group))`,
    replace: `groups.filter((group) => what !== "group" || !handedOver.has(group))`,
    ...ofOtherGroups,
    test: "is told in the status"
  },
  {
    name: "a move that gives up order keeps it",
    file: "control/readable.ts",
    find: `epoch.isRelaxed === true && !keepsOrder ?`,
    replace: `epoch.isRelaxed === true && keepsOrder ?`,
    ...ofOrder,
    test: "has groups read both places at the same time"
  },
  {
    name: "a move that gives up order passes over what is left in its own topic",
    file: "control/readable.ts",
    find: `? earlier.filter((one) => isSameTopic(one.place, place)) :`,
    replace: `? earlier.filter(() => false) :`,
    ...ofOrder,
    test: "waits for what is left in the same topic"
  },
  {
    name: "a state is read in no order where its move says so",
    file: "consume/ReadPlaces.ts",
    find: `this.#positions, isCompacted)`,
    replace: `this.#positions, false)`,
    ...ofOrder,
    test: "the last word counts"
  },
  {
    name: "each move gives up order",
    file: "moves/MoveTools.ts",
    find: `moves.filter(({ order }) => order === "relaxed")`,
    replace: `moves.filter(({ order }) => order !== undefined)`,
    ...ofOrder,
    test: "is another one than a move that keeps it"
  },
  {
    name: "a snapshot forgets which moves gave up order",
    file: "control/controlCodec.ts",
    find: `isRelaxed: maybe(11, flag)`,
    replace: `isRelaxed: maybe(11, { ...flag, write: (writer) => void writer.bool(false) })`,
    foundBy: "control/controlCodec.test.ts",
    test: "which moves give up order"
  },
  {
    name: "a table forgets which streams may lose their order",
    file: "control/controlCodec.ts",
    find: `relaxed: maybeSetOf(4, name, listMax)`,
    replace: `relaxed: { ...maybeSetOf(4, name, listMax), write: () => undefined }`,
    foundBy: "control/controlCodec.test.ts",
    test: "which moves give up order"
  },
  {
    name: "a group that began where the stream was empty is new in a later place",
    file: "consume/groupBegin.ts",
    find: `isKnownIn(transport, topic, group)`,
    replace: `Effect.map(transport.bounds(topic, group), (rows) => rows.some(({ settled }) => settled !== undefined))`,
    ...ofOrder,
    test: "began where the stream was empty"
  }
]
