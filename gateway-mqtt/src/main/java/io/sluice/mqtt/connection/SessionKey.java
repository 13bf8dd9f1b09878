package io.sluice.mqtt.connection;

/** A client identifier is unique within its virtual host. */
record SessionKey(String vhost, String clientId) {}
