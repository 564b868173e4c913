"""Rule of idempotency keys: what a kept answer names is there."""

from .outcome import SqlRule

RULES = (
    SqlRule(
        name="every idempotency key's answer names what is there",
        rows="""
            SELECT k.key AS id, 'order' AS service, k.*, o.id AS found
            FROM "order".idempotency_keys k
            LEFT JOIN "order".orders o
                   ON o.id = coalesce(k.answer->>'order_id', k.answer->>'id')::bigint
                  AND CASE WHEN k.route LIKE 'cancel %%' THEN o.status = 'CANCELLED'
                           ELSE o.user_id = k.user_id END
            UNION ALL
            SELECT k.key, 'payment', k.*, p.id
            FROM payment.idempotency_keys k
            LEFT JOIN payment.payments p ON p.id = (k.answer->>'id')::bigint
                  AND p.order_id = (k.answer->>'order_id')::bigint""",
        numbers="count(*) AS keys, count(found) AS answered",
        broken="found IS NULL",
        text="service, ' key ', key, ' of user ', user_id, ' (', route, '): ',"
        " CASE WHEN answer IS NULL THEN 'no answer' ELSE concat('names ', service, ' ',"
        " coalesce(answer->>'order_id', answer->>'id'), ', which is not there') END",
    ),
)
