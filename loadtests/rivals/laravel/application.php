<?php
// The parts of Laravel's application skeleton that sessions need. Without VerifyCsrfToken: the probe has no forms.

declare(strict_types=1);
require_once 'Illuminate/autoload.php';

use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Contracts\Http\Kernel as HttpKernel;
use Illuminate\Cookie\Middleware\AddQueuedCookiesToResponse;
use Illuminate\Cookie\Middleware\EncryptCookies;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Exceptions\Handler;
use Illuminate\Foundation\Http\Kernel;
use Illuminate\Foundation\Support\Providers\RouteServiceProvider;
use Illuminate\Session\Middleware\StartSession;
use Illuminate\Support\Facades\Route;

final class Sign
{
    public function handle($request, Closure $next)
    {
        $response = $next($request);
        $response->headers->set('X-Served-By', 'web-' . gethostname());
        $response->headers->set('Cache-Control', 'no-store');
        return $response;
    }
}

final class Web extends Kernel
{
    protected $middleware = [Sign::class];
    protected $middlewareGroups = [
        'web' => [EncryptCookies::class, AddQueuedCookiesToResponse::class, StartSession::class],
    ];
}

final class Routes extends RouteServiceProvider
{
    public function boot(): void
    {
        $this->routes(fn () => Route::middleware('web')->prefix('api')->group(__DIR__ . '/routes.php'));
    }
}

final class JsonErrors extends Handler
{
    protected function shouldReturnJson($request, Throwable $error): bool
    {
        return true;
    }
}

$app = new Application(__DIR__);
$app->singleton(HttpKernel::class, Web::class);
$app->singleton(ExceptionHandler::class, JsonErrors::class);
return $app;
