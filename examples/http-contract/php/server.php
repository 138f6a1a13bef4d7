<?php
// A back-end for Bridge in PHP, with nothing but its standard library.
//
//   BRIDGE_HOOK_SECRET=… PHP_CLI_SERVER_WORKERS=4 php -S 127.0.0.1:3000 server.php
//
// The contract is docs/http-contract.md.

declare(strict_types=1);

const MAX_BODY = 8 * 1024 * 1024;
const TOLERANCE = 5 * 60; // seconds

// answer returns what Bridge is answered; null is nothing.
function answer(array $question): ?array
{
    switch ($question['event'] ?? null) {
        case 'authorize':
            if (($question['token'] ?? null) !== 'good-token') {
                return ['error' => 'Wrong credentials'];
            }
            return ['user_id' => '38', 'claims' => ['name' => 'Ada'], 'channels' => ['user/38']];

        case 'message':
            if (($question['type'] ?? null) !== 'sum') {
                return ['error' => 'Unknown type'];
            }
            $payload = is_array($question['payload'] ?? null) ? $question['payload'] : [];
            [$a, $b] = [$payload['a'] ?? null, $payload['b'] ?? null];
            if (!(is_int($a) || is_float($a)) || !(is_int($b) || is_float($b))) {
                return ['error' => 'a and b must be numbers'];
            }
            return ['payload' => ['sum' => $a + $b]];

        case 'subscribe':
            $channel = $question['channel'] ?? null;
            $own = isset($question['user_id']) && $channel === 'user/' . $question['user_id'];
            return ['allow' => $channel === 'news' || $own];

        case 'closed':
            return null; // forget what you keep for the session
    }
    return ['error' => 'Unknown event'];
}

// signed reports whether Bridge made this request, not long ago.
function signed(string $header, string $body, string $secret): bool
{
    $time = '';
    $sums = [];
    foreach (explode(',', $header) as $part) {
        [$name, $value] = explode('=', trim($part), 2) + ['', ''];
        if ($name === 't') {
            $time = $value;
        } elseif ($name === 'v1') {
            $sums[] = $value;
        }
    }
    if (!preg_match('/^\d{1,18}$/D', $time) || abs(time() - (int) $time) > TOLERANCE) {
        return false;
    }
    $want = hash_hmac('sha256', $time . '.' . $body, $secret);
    foreach ($sums as $given) {
        if (hash_equals($want, $given)) {
            return true;
        }
    }
    return false;
}

function finish(int $status, string $text = ''): void
{
    http_response_code($status);
    if (str_starts_with($text, '{')) {
        header('Content-Type: application/json');
    }
    echo $text;
}

function handle(): void
{
    $secret = (string) getenv('BRIDGE_HOOK_SECRET');
    if ($secret === '') {
        finish(500, 'BRIDGE_HOOK_SECRET is not set');
        return;
    }
    if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
        finish(405, 'Wrong method');
        return;
    }
    $body = (string) file_get_contents('php://input', false, null, 0, MAX_BODY + 1);
    if (strlen($body) > MAX_BODY) {
        finish(413, 'Too large');
        return;
    }
    // 400, not 401 or 403: those would tell the client that it is refused.
    if (!signed($_SERVER['HTTP_BRIDGE_SIGNATURE'] ?? '', $body, $secret)) {
        finish(400, 'Wrong signature');
        return;
    }
    $question = json_decode($body, true);
    if (!is_array($question)) {
        finish(400, 'Wrong body');
        return;
    }
    $answer = answer($question);
    if ($answer === null) {
        finish(204);
    } else {
        finish(200, json_encode($answer, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE));
    }
}

handle();
