package io.sluice.server.config;

/**
 * The text of a setting and where it was found.
 *
 * @param value text as written
 * @param source such as {@code sluice.yaml line 3}, {@code environment SLUICE_CONF_AMQP__PORT} or {@code --set amqp.port}
 */
record Entry(String value, String source) {}
