using Virtigo.Host;

namespace Virtigo.Environments;

/// <summary>
/// Lets an environment of this process be used from others, by its name: <c>virtigo ps</c> lists it, <c>virtigo shell</c> leads into it.
/// It owns the environment and publishes the ports that the file asks for.
/// </summary>
public sealed class EnvironmentKeeper : IAsyncDisposable
{
    private readonly VirtualEnvironment _environment;
    private readonly KeptPlace _place;
    private readonly ControlServer _server;
    private readonly EnvironmentTarget _target;
    private int _disposed;

    private EnvironmentKeeper(VirtualEnvironment environment, KeptPlace place, ControlServer server, EnvironmentTarget target) =>
        (_environment, _place, _server, _target) = (environment, place, server, target);

    /// <summary>The name by which the environment is found.</summary>
    public string Name => _place.Name;

    /// <summary>How the environment is.</summary>
    public RunningStatus Status => _target.Status();

    /// <summary>Completes when somebody asks for the end of the environment, as <c>virtigo down</c> does; who asked waits until this is disposed.</summary>
    public Task DownRequested => _server.DownRequested;

    /// <summary>Lets an environment be used from other processes.</summary>
    /// <param name="environment">The environment; disposed with the keeper, and when this fails.</param>
    /// <param name="name">The name it is to have; null for that of its file, with a number when that is taken.</param>
    /// <param name="paths">Virtigo's directories.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VirtigoException">The name is taken, or the host gives no socket or port.</exception>
    public static async Task<EnvironmentKeeper> StartAsync(
        VirtualEnvironment environment, string? name, HostPaths paths, CancellationToken cancellationToken)
    {
        KeptPlace? place = null;
        ControlServer? server = null;
        try
        {
            place = await new RunningEnvironments(paths).ClaimAsync(
                name ?? RunningEnvironments.NameFor(environment.Plan.Spec.File), exact: name is not null, cancellationToken);
            PortForwarder[] forwards =
                [.. environment.Plan.Spec.Forward.Select(forward => environment.ForwardPort(forward.Machine, forward.Port))];
            var info = new KeptInfo(place.Name, Path.GetFullPath(environment.Plan.Spec.File), Environment.ProcessId, environment.Clock.GetUtcNow(),
                [.. environment.Machines.Select(machine => machine.Name)]);
            var target = new EnvironmentTarget(environment, info, forwards, new SshAccess(place.Folder));
            server = new ControlServer(KeptPlace.Socket(place.Folder), target, environment.Clock);
            await place.PublishAsync(info, cancellationToken);
            return new EnvironmentKeeper(environment, place, server, target);
        }
        catch
        {
            await EndAsync(environment, place, server);
            throw;
        }
    }

    /// <summary>Destroys the environment, then tells those who asked for it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            await EndAsync(_environment, _place, _server);
        }
    }

    private static async Task EndAsync(VirtualEnvironment environment, KeptPlace? place, ControlServer? server)
    {
        try
        {
            await (server?.StopAsync() ?? Task.CompletedTask);
        }
        finally
        {
            try
            {
                await environment.DisposeAsync();
            }
            finally
            {
                await (place?.DisposeAsync() ?? ValueTask.CompletedTask);
                await (server?.DisposeAsync() ?? ValueTask.CompletedTask);
            }
        }
    }
}
