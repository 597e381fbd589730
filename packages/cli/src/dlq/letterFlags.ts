import { userInfo } from "node:os"
import { Flag } from "effect/cli"
import { clusterFlags, json, proto, topic } from "../flags.ts"

/** Where the dead letters are, and whose. */
export const letterFlags = {
  ...clusterFlags,
  topic: topic.pipe(
    Flag.withDescription("Topic that the group reads; without --group, a topic of dead letters by its own name")
  ),
  stream: Flag.String("stream").pipe(
    Flag.optional,
    Flag.withDescription("Stream that the group reads: its topic, and its contract")
  ),
  group: Flag.String("group").pipe(Flag.optional, Flag.withDescription("Group whose dead letters are meant")),
  undelivered: Flag.Boolean("undelivered").pipe(
    Flag.withDefault(false),
    Flag.withDescription("What publishers could not store in --topic, in place of the letters of a group")
  )
}

/** How letters are told. */
export const tellingFlags = {
  proto,
  type: Flag.String("type").pipe(
    Flag.optional,
    Flag.withDescription("Contract of records whose topic and headers name none: risk.v1.BeaconSighting")
  ),
  unmasked: Flag.Boolean("unmasked").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Show personal data too, and what no contract describes")
  ),
  json
}

/** Which letters. */
export const choosingFlags = {
  where: Flag.String("where").pipe(
    Flag.atLeast(0),
    Flag.withDescription(
      "Only letters of which this is so; several hold together. tag=CardDeclined, stage=decode, key=o-1, since=2026-11-24, until=..., partition=0, position=0/17"
    )
  ),
  limit: Flag.Int("limit").pipe(
    Flag.filter(
      (limit) => limit > 0,
      () => "--limit is 1 or more"
    ),
    Flag.optional,
    Flag.withDescription("Letters at most")
  )
}

/** Who resolves letters; stands in the topic of dead letters for those who ask later. */
export const by = Flag.String("by").pipe(
  Flag.withDefault(nameOfUser()),
  Flag.withDescription("Who does this; the user of this machine when not given")
)

/** Some containers run a user that has no name. */
function nameOfUser(): string {
  try {
    return userInfo().username
  } catch {
    return "unknown"
  }
}
