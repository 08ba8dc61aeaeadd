/**
 * Everything that `mqtt` exports, by name, so that code written for MQTT.js changes its import line and nothing else.
 *
 * MQTT.js's browser build has only a default export, so the values are taken from it; `connect` and `connectAsync`
 * are ours.
 */

import type * as Mqtt from 'mqtt';
import mqtt from 'mqtt';

export type * from 'mqtt';

export const {
  MqttClient,
  Client,
  Store,
  DefaultMessageIdProvider,
  UniqueMessageIdProvider,
  KeepaliveManager,
  ReasonCodes,
  ErrorWithReasonCode,
  ErrorWithSubackPacket,
  MQTTJS_VERSION,
  nextTick,
  applyMixin,
  validateTopic,
  validateTopics,
} = mqtt;

// A constant hides the type of the same name; these give it back.
export type MqttClient = Mqtt.MqttClient;
export type Client = Mqtt.MqttClient;
export type Store = Mqtt.Store;
export type DefaultMessageIdProvider = Mqtt.DefaultMessageIdProvider;
export type UniqueMessageIdProvider = Mqtt.UniqueMessageIdProvider;
export type KeepaliveManager = Mqtt.KeepaliveManager;
export type ErrorWithReasonCode = Mqtt.ErrorWithReasonCode;
export type ErrorWithSubackPacket = Mqtt.ErrorWithSubackPacket;
