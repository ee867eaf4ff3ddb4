using Virtigo.GuestTests.Xen;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Xunit;

namespace Virtigo.GuestTests.Hypervisors;

/// <summary>A Linux kernel to boot, the installer's, and folders that go with the tests.</summary>
public sealed class KernelFixture(Lab lab) : IAsyncLifetime
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("vt");
    private readonly XenGround? _ground = XenGround.Found;

    private readonly SemaphoreSlim _once = new(1);

    public HostPaths Paths => new(At("cache"), At("data"), At("state"), At("config"), At("run"));

    public string Kernel { get; private set; } = "";

    /// <summary>Debian's busybox, with everything it needs inside.</summary>
    public Task<byte[]> BusyboxAsync() => _ground is not null ? File.ReadAllBytesAsync(_ground.Busybox, TestContext.Current.CancellationToken) : lab.ReadPackagedFileAsync("busybox-static", "usr/bin/busybox");

    /// <summary>The kernel with an initrd of <see cref="TinyGuest"/> that drives virtio devices.</summary>
    public async Task<KernelBoot> BootAsync()
    {
        await _once.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            string initrd = At("virtio-initrd");
            if (!File.Exists(initrd))
            {
                IReadOnlyList<(string, byte[])> modules = await GuestModules.ReadAsync(await lab.Installer,
                    "virtio_pci", "virtio_blk", "virtio_net", "virtio_console");
                await TinyGuest.WriteInitrdAsync(initrd, await BusyboxAsync(), modules);
            }

            return new KernelBoot(Kernel, initrd, "console=ttyS0 panic=-1 no_timer_check");
        }
        finally
        {
            _once.Release();
        }
    }

    public string At(string name) => Path.Combine(_folder.FullName, name);

    public async ValueTask InitializeAsync() => Kernel = _ground?.Kernel ?? (await lab.Installer).KernelPath;

    public ValueTask DisposeAsync()
    {
        _once.Dispose();
        _folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }
}

[CollectionDefinition(Name)]
public sealed class KernelGuests : ICollectionFixture<KernelFixture>
{
    public const string Name = "kernel";
}
