/** What stories have to come to with dead letters, counted by what raw reads and handlers show. */
import { type Chronicle, placeName } from "leat/testing"

/** How often each of these came, in one story. */
export function waysOfLetters(chronicle: Chronicle): Readonly<Record<string, number>> {
  const { letters, replays, retries, handlings, groups } = chronicle
  const done = new Set(handlings.flatMap((one) => (one.isDone ? [placeName(one.group, one)] : [])))
  const origins = letters.flatMap(({ group, origin }) => (origin === undefined ? [] : [placeName(group, origin)]))
  const members = Map.groupBy(handlings, (one) => placeName(one.group, one))
  const membersOf = (place: string) => new Set(members.get(place)?.map(({ member }) => member)).size
  const dropping = new Set(groups.flatMap(({ group, ending }) => (ending === "drop" ? [group] : [])))
  return {
    "a letter is stored": new Set(origins).size,
    "a letter is stored again": origins.length - new Set(origins).size,
    "a lane moves between the failure of a record and its letter": new Set(origins.filter((one) => membersOf(one) > 1))
      .size,
    "an event is set aside by one group and handled by another": letters.filter(({ id, group }) =>
      handlings.some((one) => one.isDone && one.id === id && one.group !== group)
    ).length,
    "a record of a batch is set aside": letters.filter(({ group, origin }) =>
      handlings.some((one) => !one.isAlone && one.group === group && one.position === origin?.position)
    ).length,
    "a letter is replayed": replays.length,
    "a letter is replayed and handled": replays.filter((one) => done.has(placeName(one.group, one))).length,
    "a replay is set aside": letters.filter((one) => one.replays > 0).length,
    ...waysOfRetries({ retries, handlings, letters }),
    "an event is dropped": handlings.filter((one) => one.isPoison && one.isAlone && dropping.has(one.group)).length
  }
}

function waysOfRetries({ retries, handlings, letters }: Pick<Chronicle, "retries" | "handlings" | "letters">) {
  const tried = handlings.filter(({ moved }) => moved !== undefined)
  const moved = new Set(retries.map((one) => nameOf(one.group, one.moved?.origin)))
  const isAhead = (later: (typeof handlings)[number], one: (typeof handlings)[number]) =>
    later.group === one.group &&
    later.key === one.key &&
    later.topic === one.moved?.origin.topic &&
    later.partition === one.moved.origin.partition &&
    later.position > one.moved.origin.position &&
    (later.endedAt ?? Number.POSITIVE_INFINITY) < one.beganAt
  return {
    "an event is moved to a retry topic": moved.size,
    "an event is moved on to the next retry topic": retries.filter(({ tier }) => tier > 1).length,
    "an event is handled in a retry topic": tried.filter(({ isDone }) => isDone).length,
    "an event of a retry topic is handled by another process than the one that failed": tried.filter((one) =>
      handlings.every(
        (other) => other.member !== one.member || nameOf(other.group, other) !== nameOf(one.group, one.moved?.origin)
      )
    ).length,
    "an event of a retry topic comes after later ones of its key": tried.filter((one) =>
      handlings.some((later) => later.isDone && isAhead(later, one))
    ).length,
    "an event is set aside behind its last retry topic": letters.filter((one) =>
      moved.has(nameOf(one.group, one.origin))
    ).length
  }
}

function nameOf(group: string, place: Parameters<typeof placeName>[1] | undefined): string {
  return place === undefined ? "" : placeName(group, place)
}
