package io.sluice.server.config;

import org.jspecify.annotations.Nullable;

/**
 * A route named in the configuration file.
 *
 * @param from {@code exchange:NAME}, {@code queue:NAME}, {@code stream:NAME} or {@code mqtt:FILTER}
 * @param to the same forms
 * @param key binding pattern, null for the default of the exchange
 * @param vhost virtual host
 * @param source where it stands, for messages
 */
public record RouteSetting(String from, String to, @Nullable String key, String vhost, String source) {}
