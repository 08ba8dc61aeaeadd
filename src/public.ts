/** Public names that are the same in every runtime; the entries add `connect` and `connectAsync`. */
export type {
  BrokerContext,
  BrokerFunction,
  BrokerSources,
  BrokerSpec,
  BrokersInput,
} from './brokers/input.js';
export { parseBrokers } from './brokers/parse.js';
export type {
  CompositeBrokers,
  FunctionBrokers,
  ParsedBrokers,
  RegistryBrokers,
  ResolverBrokers,
  SrvBrokers,
  StaticBrokers,
} from './brokers/parsed.js';
export { FailoverClient } from './client/client.js';
export type { Drained, Flushed, WaitOptions } from './client/drain.js';
export type { Connect, ConnectAsync } from './connect.js';
export type { OverflowPolicy } from './delivery/bounds.js';
export type { Publication, Published, PublishFromOptions } from './delivery/publish-from.js';
export type { OutboxCodec } from './delivery/store/codec.js';
export type { StorageFailure } from './delivery/store/failure.js';
export { type OverrideContainer, type PartToken, tokens } from './di/tokens.js';
export type {
  AttemptCredentials,
  CredentialsContext,
  CredentialsProvider,
} from './dial/credentials.js';
export type { Dialed, Dialer, DialFailure } from './dial/dialer.js';
export type { DiscoveryStatus } from './discovery/endpoint-list.js';
export type { RegistryOptions } from './discovery/registry/create-registry-resolver.js';
export type { RegistryHeaders, RegistryHeadersContext } from './discovery/registry/http.js';
export type { EndpointSet, Resolver } from './discovery/resolver.js';
export type { Endpoint, NodeState, Origin, Scheme } from './endpoint.js';
export {
  FailoverError,
  type FailoverErrorCode,
  type FailoverErrorDetails,
  isFailoverError,
} from './errors.js';
export type {
  ClientState,
  DropReason,
  EndpointState,
  FailoverEventCallbacks,
  FailoverEvents,
  PlannedMove,
  ReceivedPublish,
  TraceStep,
} from './events.js';
export { OUTCOMES, type OutcomeRow } from './health/outcome-table.js';
export {
  type Action,
  type CoolRange,
  classify,
  type Outcome,
  type OutcomeKind,
} from './health/outcomes.js';
export * from './mqtt/exports.js';
export type {
  BackoffOptions,
  DialOptions,
  DiscoveryOptions,
  FailbackOptions,
  FailoverGroups,
  FailoverOptions,
  HealthOptions,
  LivenessOptions,
  OutboxOptions,
} from './options/options.js';
export type {
  Database,
  DatabaseDeletion,
  DatabaseEntries,
  DatabaseKeys,
  DatabaseOperation,
  DatabasePut,
  DatabaseRange,
  DatabaseSection,
} from './platform/database.js';
export type {
  Clock,
  DialTarget,
  HostAddress,
  Network,
  Random,
  Timer,
  Transport,
  TransportSink,
} from './platform/ports.js';
export { type Rankable, type RankOptions, rank } from './selection/rank.js';
export type { Selector } from './selection/selector.js';
export type { ClientStatus, EndpointStatus, Explanation, OutboxStatus } from './status.js';
export type { Warning } from './warnings.js';
