/** What a scenario of silence needs of its world. */

/** One wait, in milliseconds, and what went wrong in it. */
export interface Measured {
  readonly ms: number;
  readonly faults: readonly string[];
}

export interface SilentWorld extends AsyncDisposable {
  /** Measures our client once. */
  ours(round: number): Promise<Measured>;
  /** Starts `count` clients of MQTT.js at once; resolves with their waits when these have begun. */
  startMqttJs(count: number): Promise<readonly Promise<Measured>[]>;
}
