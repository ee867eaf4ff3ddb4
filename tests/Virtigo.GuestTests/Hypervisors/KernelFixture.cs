using Virtigo.Host;
using Xunit;

namespace Virtigo.GuestTests.Hypervisors;

/// <summary>A Linux kernel to boot, and folders that go with the tests.</summary>
public sealed class KernelFixture : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");

    public HostPaths Paths => new(At("cache"), At("data"), At("state"), At("config"), At("run"));

    public string Kernel { get; } = Environment.GetEnvironmentVariable("VIRTIGO_TEST_KERNEL")
        ?? throw new InvalidOperationException("VIRTIGO_TEST_KERNEL names no kernel.");

    public string At(string name) => Path.Combine(_folder.FullName, name);

    public void Dispose() => _folder.Delete(recursive: true);
}

[CollectionDefinition(Name)]
public sealed class KernelGuests : ICollectionFixture<KernelFixture>
{
    public const string Name = "kernel";
}
