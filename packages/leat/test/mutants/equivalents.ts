/** Files that no mutant is planted in, and changes that change nothing, each with the reason. */
export const equivalents: ReadonlyArray<{ readonly file: string; readonly why: string }> = [
  { file: "audit/Audit.ts", why: "exports" },
  { file: "audit/AuditReport.ts", why: "types only" },
  { file: "publish/LaneRules.ts", why: "types only" },
  { file: "publish/LaneHome.ts", why: "types only" },
  { file: "publish/sendOn/Ending.ts", why: "types, and a name that the notices' tests read" },
  { file: "publish/Receipt.ts", why: "types only" },
  { file: "publish/Admission.ts", why: "constants and errors, whose words nothing reads" },
  { file: "publish/reportStream.ts", why: "names counters; Telemetry.test.ts reads each of them" },
  { file: "consume/Whereabouts.ts", why: "types only" },
  { file: "consume/Inbox.ts", why: "types only" },
  { file: "consume/Failure.ts", why: "types only" },
  { file: "consume/PartlyFailed.ts", why: "an error, whose words nothing reads" },
  { file: "consume/NotCaughtUp.ts", why: "an error, whose words nothing reads" },
  { file: "consume/Subscription.ts", why: "types only" },
  { file: "consume/DeliveryInfo.ts", why: "types, and a reference without a rule" },
  { file: "consume/SourceOptions.ts", why: "types, and a class without a rule" },
  { file: "transport/index.ts", why: "types only" },
  { file: "transport/OpeningTrouble.ts", why: "a reference without a rule" },
  {
    file: "transport/Announcement.ts",
    why: "a plain copy of the ledger; announcements are tested where they are stored"
  },
  { file: "transport/ReferenceText.ts", why: "a parser of its own with a table of cases" },
  { file: "record/index.ts", why: "exports" },
  { file: "record/OutgoingBatch.ts", why: "types only" },
  { file: "record/bytes.ts", why: "asks the engine what a value is; every key and header test goes through it" }
]
