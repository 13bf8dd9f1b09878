package io.sluice.server.management;

import com.fasterxml.jackson.annotation.JsonInclude;
import org.jspecify.annotations.Nullable;

/**
 * A route as the API writes it.
 *
 * @param from {@code exchange:NAME}, {@code stream:NAME} or {@code mqtt:FILTER}
 * @param to {@code exchange:NAME}, {@code queue:NAME}, {@code stream:NAME} or {@code mqtt:#}
 * @param key binding pattern, absent where the source has none
 * @param vhost virtual host, {@code /} if absent
 * @param origin {@code config}, {@code api} or {@code client}; in answers only
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
public record RouteJson(
        @Nullable String from,
        @Nullable String to,
        @Nullable String key,
        @Nullable String vhost,
        @Nullable String origin) {}
