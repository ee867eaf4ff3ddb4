using Virtigo.Hypervisors;

namespace Virtigo.Tests.Hypervisors;

/// <summary>A guest that can do nothing; a test overrides what it needs.</summary>
internal abstract class FakeGuest : IGuest
{
    public virtual int ProcessId => 0;

    public virtual Task<GuestExit> Exited { get; } = new TaskCompletionSource<GuestExit>().Task;

    public virtual Stream? Agent => null;

    public virtual Stream? Channel => null;

    public virtual Stream OpenSerial(string name) => Stream.Null;

    public virtual Task PowerButtonAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public virtual Task ResetAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public virtual Task PauseAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public virtual Task ResumeAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public virtual Task SaveStateAsync(string path, CancellationToken cancellationToken) => throw new NotSupportedException();

    public virtual Task SendKeysAsync(IReadOnlyList<string> keys, CancellationToken cancellationToken) => throw new NotSupportedException();

    public virtual Task<byte[]> ScreenshotAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public virtual Task SysRqAsync(string serial, char key, CancellationToken cancellationToken) => throw new NotSupportedException();

    public virtual Task SetDiskFaultAsync(int disk, DiskFault fault, CancellationToken cancellationToken) => throw new NotSupportedException();

    public virtual Task KillAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public virtual ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
