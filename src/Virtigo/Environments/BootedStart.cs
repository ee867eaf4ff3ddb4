namespace Virtigo.Environments;

/// <summary>
/// Environments that are booted each time, for hypervisors that cannot save running machines: on disks as they were installed, and with the
/// <c>ready</c> steps done again. So it is slower, and the same for whoever uses it.
/// </summary>
internal sealed class BootedStart : IEnvironmentStart
{
    private readonly EnvironmentHost _host;
    private readonly EnvironmentPlan _plan;
    private readonly SharedHold _hold;
    private readonly IDisposable _own;

    /// <summary>Takes over what keeps the images from being removed.</summary>
    public BootedStart(EnvironmentHost host, EnvironmentPlan plan, SharedHold hold)
    {
        (_host, _plan, _hold) = (host, plan, hold);
        _own = hold.Share();
    }

    /// <inheritdoc/>
    public bool Boots => true;

    /// <inheritdoc/>
    public async Task<VirtualEnvironment> StartAsync(ulong? seed, CancellationToken cancellationToken)
    {
        IDisposable memory = await _host.Budget.ReserveAsync(_plan.MemoryMiB, $"A copy of {_plan.Spec.Name}", null, cancellationToken);
        var environment = VirtualEnvironment.Create(_host, _plan, frames: null, seed, guest: null, [memory, _hold.Share()]);
        try
        {
            await new EnvironmentBoot(_host, _plan, new PreparationLog(_host.Clock, null)).RunAsync(environment, cancellationToken);
            return environment;
        }
        catch
        {
            await environment.DisposeAsync();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _own.Dispose();
}
