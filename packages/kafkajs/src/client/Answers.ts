/** Answers of brokers as kafkajs decodes them (only the fields that are read here), and the parameters of their requests. */

export interface MetadataAnswer {
  readonly brokers: ReadonlyArray<{ readonly nodeId: number; readonly host: string; readonly port: number }>
  readonly controllerId: number
  readonly topicMetadata: ReadonlyArray<{
    readonly topicErrorCode: number
    readonly topic: string
    /** Absent where the broker, or the version of the answer, has no ids. */
    readonly topicId?: string
    readonly partitionMetadata: ReadonlyArray<{
      readonly partitionErrorCode: number
      readonly partitionId: number
      readonly leader: number
    }>
  }>
}

/** Partitions by topic, each with further fields. */
type OfTopics<More> = ReadonlyArray<{
  readonly topic: string
  readonly partitions: ReadonlyArray<{ readonly partition: number } & More>
}>

/** Parameters and answer of each request. Offsets are decimal text, as in kafkajs. */
export interface Calls {
  readonly Metadata: {
    readonly asked: { readonly topics: ReadonlyArray<string>; readonly allowAutoTopicCreation: false }
    readonly answered: MetadataAnswer
  }
  readonly ListOffsets: {
    readonly asked: {
      readonly replicaId: -1
      readonly isolationLevel: 0 | 1
      readonly topics: OfTopics<{ readonly timestamp: string }>
    }
    readonly answered: { readonly responses: OfTopics<{ readonly errorCode: number; readonly offset: string }> }
  }
  readonly GroupCoordinator: {
    readonly asked: { readonly groupId: string }
    readonly answered: {
      readonly errorCode: number
      readonly coordinator: { readonly nodeId: number; readonly host: string; readonly port: number }
    }
  }
  readonly JoinGroup: {
    readonly asked: {
      readonly groupId: string
      readonly sessionTimeout: number
      readonly rebalanceTimeout: number
      readonly memberId: string
      readonly protocolType: "consumer"
      readonly groupProtocols: ReadonlyArray<{ readonly name: string; readonly metadata: Buffer }>
    }
    readonly answered: {
      readonly errorCode: number
      readonly generationId: number
      readonly leaderId: string
      readonly memberId: string
      readonly members: ReadonlyArray<{ readonly memberId: string; readonly memberMetadata: Buffer }>
    }
  }
  readonly SyncGroup: {
    readonly asked: {
      readonly groupId: string
      readonly generationId: number
      readonly memberId: string
      readonly groupAssignment: ReadonlyArray<{ readonly memberId: string; readonly memberAssignment: Buffer }>
    }
    readonly answered: { readonly errorCode: number; readonly memberAssignment: Buffer | null }
  }
  readonly Heartbeat: {
    readonly asked: { readonly groupId: string; readonly groupGenerationId: number; readonly memberId: string }
    readonly answered: { readonly errorCode: number }
  }
  readonly LeaveGroup: {
    readonly asked: { readonly groupId: string; readonly memberId: string }
    readonly answered: { readonly errorCode: number }
  }
  readonly ListGroups: {
    readonly asked: object
    readonly answered: {
      readonly errorCode: number
      readonly groups: ReadonlyArray<{ readonly groupId: string; readonly protocolType: string }>
    }
  }
  readonly OffsetCommit: {
    readonly asked: {
      readonly groupId: string
      readonly groupGenerationId: number
      readonly memberId: string
      readonly topics: OfTopics<{ readonly offset: string; readonly metadata?: string }>
    }
    readonly answered: { readonly responses: OfTopics<{ readonly errorCode: number }> }
  }
  readonly OffsetFetch: {
    readonly asked: { readonly groupId: string; readonly topics: OfTopics<object> }
    readonly answered: {
      readonly errorCode?: number
      readonly responses: OfTopics<{
        readonly errorCode: number
        readonly offset: string
        readonly metadata?: string | null
      }>
    }
  }
  readonly CreateTopics: {
    readonly asked: {
      readonly topics: ReadonlyArray<{
        readonly topic: string
        readonly numPartitions: number
        readonly replicationFactor: number
        readonly configEntries: ReadonlyArray<{ readonly name: string; readonly value: string }>
      }>
      readonly timeout: number
    }
    readonly answered: {
      readonly topicErrors: ReadonlyArray<{
        readonly topic: string
        readonly errorCode: number
        readonly errorMessage: string | null
      }>
    }
  }
  readonly DescribeConfigs: {
    readonly asked: {
      readonly resources: ReadonlyArray<{
        readonly type: number
        readonly name: string
        readonly configNames: ReadonlyArray<string>
      }>
    }
    readonly answered: {
      readonly resources: ReadonlyArray<{
        readonly errorCode: number
        readonly resourceName: string
        readonly configEntries: ReadonlyArray<{
          readonly configName: string
          readonly configValue: string | null
          /** 1: set for this topic. Other values are defaults of the broker. */
          readonly configSource: number
        }>
      }>
    }
  }
}

export type CallName = keyof Calls
