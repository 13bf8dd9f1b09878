package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.NO_CONTENT;
import static io.netty.handler.codec.http.HttpResponseStatus.OK;

import io.netty.handler.codec.http.HttpMethod;
import io.sluice.amqp091.session.ConnectionInfo;
import io.sluice.server.management.Reply;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code /api/connections}, {@code /api/channels} and {@code /api/consumers}: those of AMQP. Stateless. */
final class ConnectionResource {
    private static final String REASON = "Closed via management API";

    private ConnectionResource() {}

    static List<ConnectionInfo> all(Api api) {
        return api.amqp().connections().toCompletableFuture().join();
    }

    static Reply connections(Api api) {
        String name = api.part(1);
        if (name == null) {
            Methods.allow(api, HttpMethod.GET);
            List<Map<String, @Nullable Object>> views =
                    all(api).stream().map(Views::connection).toList();
            return Reply.json(OK, Listing.of(views, api.request().query()));
        }
        ConnectionInfo info = all(api).stream()
                .filter(connection -> connection.name().equals(name))
                .findFirst()
                .orElseThrow(ApiException::notFound);
        if ("channels".equals(api.part(2)) && api.parts() == 3) {
            Methods.allow(api, HttpMethod.GET);
            return Reply.json(
                    OK,
                    info.channels().stream()
                            .map(channel -> Views.channel(info, channel))
                            .toList());
        } else if (api.parts() > 2) {
            throw ApiException.notFound();
        }
        if (api.is(HttpMethod.GET)) {
            return Reply.json(OK, Views.connection(info));
        }
        Methods.allow(api, HttpMethod.DELETE);
        String reason = api.request().reason();
        api.amqp()
                .closeConnection(name, reason == null ? REASON : reason)
                .toCompletableFuture()
                .join();
        return Reply.empty(NO_CONTENT);
    }

    static Reply channels(Api api) {
        Methods.allow(api, HttpMethod.GET);
        List<Map<String, @Nullable Object>> views = new ArrayList<>();
        for (ConnectionInfo info : all(api)) {
            info.channels().forEach(channel -> views.add(Views.channel(info, channel)));
        }
        String name = api.part(1);
        return name == null
                ? Reply.json(OK, Listing.of(views, api.request().query()))
                : Reply.json(
                        OK,
                        views.stream()
                                .filter(view -> name.equals(view.get("name")))
                                .findFirst()
                                .orElseThrow(ApiException::notFound));
    }

    static Reply consumers(Api api) {
        Methods.allow(api, HttpMethod.GET);
        String vhost = api.part(1) == null ? null : api.host(1).name();
        List<Map<String, @Nullable Object>> views = new ArrayList<>();
        for (ConnectionInfo info : all(api)) {
            if (vhost == null || vhost.equals(info.vhost())) {
                info.channels()
                        .forEach(channel -> channel.consumers()
                                .forEach(consumer -> views.add(Views.consumer(info, channel, consumer))));
            }
        }
        return Reply.json(OK, Listing.of(views, api.request().query()));
    }
}
