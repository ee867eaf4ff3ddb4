namespace Virtigo.Environments;

/// <summary>How copies of a ready environment come to be. Disposing gives the source up; copies of it go on.</summary>
internal interface IEnvironmentStart : IDisposable
{
    /// <summary>Whether each copy boots its machines.</summary>
    bool Boots { get; }

    /// <summary>Starts a copy, as soon as the host's memory has room for it.</summary>
    /// <param name="seed">Where the chances of its faults come from; null: they go on where they were, those not drawn yet from the seed of the file.</param>
    /// <param name="cancellationToken">Ends the start; nothing of it remains.</param>
    Task<VirtualEnvironment> StartAsync(ulong? seed, CancellationToken cancellationToken);
}
