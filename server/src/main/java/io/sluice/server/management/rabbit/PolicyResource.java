package io.sluice.server.management.rabbit;

import static io.netty.handler.codec.http.HttpResponseStatus.CREATED;
import static io.netty.handler.codec.http.HttpResponseStatus.NO_CONTENT;
import static io.netty.handler.codec.http.HttpResponseStatus.OK;

import io.netty.handler.codec.http.HttpMethod;
import io.sluice.routing.VirtualHost;
import io.sluice.routing.policy.Policy;
import io.sluice.routing.policy.PolicyCheck;
import io.sluice.server.management.Reply;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** {@code /api/policies[/VHOST[/NAME]]} and {@code /api/operator-policies}, the same of operators. Stateless. */
final class PolicyResource {
    private static final String APPLY_TO = "apply-to";

    private PolicyResource() {}

    static Reply answer(Api api, boolean operator) {
        String name = api.part(2);
        if (name == null) {
            Methods.allow(api, HttpMethod.GET);
            List<Map<String, @Nullable Object>> all = new ArrayList<>();
            for (VirtualHost host : api.part(1) == null ? api.broker().virtualHosts() : List.of(api.host(1))) {
                all.addAll(list(host, operator));
            }
            return Reply.json(OK, Listing.of(all, api.request().query()));
        }
        VirtualHost host = api.host(1);
        if (api.parts() > 3) {
            throw ApiException.notFound();
        }
        if (api.is(HttpMethod.PUT)) {
            return Reply.empty(set(api, host, operator, name, api.body()) ? CREATED : NO_CONTENT);
        }
        Policy present = host.table().policies().find(operator, name);
        if (present == null) {
            throw ApiException.notFound();
        }
        if (api.is(HttpMethod.GET)) {
            return Reply.json(OK, view(host, present));
        } else if (api.is(HttpMethod.DELETE)) {
            api.await(host.removePolicy(api.caller(host), operator, name));
            return Reply.empty(NO_CONTENT);
        }
        throw Methods.notAllowed();
    }

    /** The policies of a virtual host, by name. */
    static List<Map<String, @Nullable Object>> list(VirtualHost host, boolean operator) {
        List<Map<String, @Nullable Object>> all = new ArrayList<>();
        for (Policy policy : host.table().policies().all(operator)) {
            all.add(view(host, policy));
        }
        return all;
    }

    /** Sets a policy as its view or a body describes it; true if there was none of this name. */
    static boolean set(Api api, VirtualHost host, boolean operator, String name, Map<String, @Nullable Object> body) {
        PolicyCheck check = PolicyCheck.of(
                operator,
                name,
                Api.required(body, "pattern", String.class),
                body.get(APPLY_TO),
                body.get("priority"),
                Api.required(body, "definition", Object.class));
        Policy policy = check.policy();
        if (policy == null) {
            throw ApiException.badRequest(String.valueOf(check.refusal()));
        }
        return api.await(host.setPolicy(api.caller(host), operator, policy));
    }

    private static Map<String, @Nullable Object> view(VirtualHost host, Policy policy) {
        Map<String, @Nullable Object> view = new LinkedHashMap<>();
        view.put("vhost", host.name());
        view.put("name", policy.name());
        view.put("pattern", policy.pattern());
        view.put(APPLY_TO, policy.target().text());
        view.put("definition", policy.definition());
        view.put("priority", policy.priority());
        return view;
    }
}
