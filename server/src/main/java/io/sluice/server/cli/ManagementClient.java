package io.sluice.server.cli;

import io.sluice.server.DataDirectory;
import io.sluice.server.config.SluiceConfig;
import io.sluice.server.management.RouteJson;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Talks to the management port of a running broker; every failure becomes one sentence. */
final class ManagementClient {
    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    private final JsonMapper json = JsonMapper.builder().build();
    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(TIMEOUT)
            .build();
    private final String base;

    private ManagementClient(String base) {
        this.base = base;
    }

    static ManagementClient find(@Nullable String url, SluiceConfig config) {
        if (url != null) {
            return new ManagementClient(url.endsWith("/") ? url.substring(0, url.length() - 1) : url);
        }
        return new ManagementClient(
                DataDirectory.managementUrl(config.data()).orElse("http://127.0.0.1:" + config.managementPort()));
    }

    JsonNode get(String path) {
        return send(path, "GET", HttpRequest.BodyPublishers.noBody());
    }

    JsonNode post(String path, RouteCommand.RouteArguments route) {
        return send(path, "POST", body(route));
    }

    JsonNode delete(String path, RouteCommand.RouteArguments route) {
        return send(path, "DELETE", body(route));
    }

    private HttpRequest.BodyPublisher body(RouteCommand.RouteArguments route) {
        RouteJson value = new RouteJson(route.from, route.to, route.key, route.vhost, null);
        return HttpRequest.BodyPublishers.ofByteArray(json.writeValueAsBytes(value));
    }

    private JsonNode send(String path, String method, HttpRequest.BodyPublisher body) {
        HttpResponse<byte[]> response;
        try {
            HttpRequest request = HttpRequest.newBuilder(URI.create(base + path))
                    .timeout(TIMEOUT)
                    .header("Content-Type", "application/json")
                    .method(method, body)
                    .build();
            response = http.send(request, HttpResponse.BodyHandlers.ofByteArray());
        } catch (IllegalArgumentException e) {
            throw new CommandFailedException("'" + base + "' is not an address; give --url http://HOST:PORT.", e);
        } catch (IOException e) {
            throw new CommandFailedException(
                    "No broker answers at " + base
                            + "; start one with 'sluice start', or name it with --data or --url.",
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandFailedException("Interrupted while waiting for " + base + ".", e);
        }
        JsonNode answer;
        try {
            answer = json.readTree(response.body());
        } catch (JacksonException e) {
            throw new CommandFailedException(
                    base + " answered " + response.statusCode()
                            + " with something that is not JSON; is it a Sluice broker?",
                    e);
        }
        if (response.statusCode() >= 300) {
            throw new CommandFailedException(
                    answer.path("reason").asString("The broker refused with status " + response.statusCode() + "."));
        }
        return answer;
    }
}
